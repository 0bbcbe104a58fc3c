"""The page of ending one session of others that stands in the way of a run: whose it is, and what it loses."""

from datetime import datetime

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from deployments.authority import Action, NotAllowed, eligible, may
from deployments.errors import DeploymentError
from deployments.models import MigrationRun
from deployments.selectors.blockers import Blocker
from deployments.selectors.run_actions import target_of
from deployments.selectors.run_page import run_page
from deployments.services.end_session import request_end
from deployments.views.base import PageRequest, actor_of, page
from deployments.views.errors import sent, status_of
from deployments.views.forms import ConfirmForm
from deployments.views.run import found
from deployments.views.run_forms import REASON, bound_to


class EndForm(ConfirmForm):
    """Bound to the very session and transaction that the person was shown: a pid is used again, a session too."""

    backend_start = forms.DateTimeField(widget=forms.HiddenInput)
    xact_start = forms.DateTimeField(widget=forms.HiddenInput, required=False)
    reason = forms.CharField(
        label="Reason", widget=REASON, help_text="For the record, and for whose work it is. One sentence is enough."
    )


@require_http_methods(["GET", "HEAD", "POST"])
def end(request: PageRequest, number: int, pid: int) -> HttpResponse:
    """Name whom it is about and what they lose, and ask the executor to end them. Raises Http404."""
    this = found(request, number)
    if request.method != "POST":
        return _show(request, this, pid)
    form = EndForm(request.POST)
    if not form.is_valid():
        return _show(request, this, pid, form=form, status=422)
    given = form.cleaned_data
    try:
        request_end(
            this,
            pid=pid,
            backend_start=given["backend_start"],
            xact_start=given["xact_start"],
            reason=given["reason"],
            request_key=given["request_key"],
            actor=actor_of(request),
        )
    except DeploymentError as refusal:
        return _show(request, found(request, number), pid, refusal=refusal, status=status_of(refusal))
    return redirect("run", number)


def _show(
    request: PageRequest,
    this: MigrationRun,
    pid: int,
    *,
    form: EndForm | None = None,
    refusal: DeploymentError | None = None,
    status: int = 200,
) -> HttpResponse:
    seen = run_page(this, request.user)
    one = next((one for opened in seen.opened for one in opened.in_the_way if one.pid == pid), None)
    decision = may(request.user, Action.END_SESSION, this)
    context = {
        "seen": seen,
        "run": this,
        "pid": pid,
        "one": one,
        "target": target_of(this),
        "closed": _closed(one, pid) if decision else decision.reason,
        "who": () if decision else [user.username for user in eligible(Action.END_SESSION, this)],
        "form": form or EndForm(initial=_initial(request, this, one)),
        "refusal": refusal,
        "is_refused": isinstance(refusal, NotAllowed),
        "sent": list(sent(request)),
    }
    return page(request, "runs/end_session", context, status=status)


def _closed(one: Blocker | None, pid: int) -> str:
    """Return why nobody can end it now, "" if it can be asked for."""
    if one is None:
        return f"Session {pid} does not stand in the way of this run now."
    if one.is_asked and one.wish is not None:
        return f"{one.wish.asked_by} asked for it already. The page of the run says what becomes of it."
    return one.why_not


def _initial(request: PageRequest, this: MigrationRun, one: Blocker | None) -> dict[str, object]:
    shown = {} if one is None else {name: _exact(getattr(one, name)) for name in ("backend_start", "xact_start")}
    return bound_to(this) | shown | {"reason": request.POST.get("reason", "")}


def _exact(at: datetime | None) -> str:
    """Return an instant to the microsecond, which a form's own writing cuts off."""
    return at.isoformat() if at else ""
