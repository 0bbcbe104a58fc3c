"""The pages of letting a run rest and of letting it go on."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from deployments.errors import DeploymentError
from deployments.models import MigrationRun
from deployments.selectors.pausing import rests
from deployments.selectors.run_actions import PAUSE, RESUME
from deployments.selectors.run_page import run_page
from deployments.services.pause import request_pause, resume
from deployments.services.transition import Stale
from deployments.views.base import PageRequest, actor_of, page
from deployments.views.errors import sent, status_of
from deployments.views.forms import ConfirmForm
from deployments.views.run import found
from deployments.views.run_forms import REASON, bound_to, deed_context

WHY = {
    PAUSE: "Whoever finds it paused reads this. One sentence is enough.",
    RESUME: "For the record. Needed where somebody else asked for the pause.",
}


class RestForm(ConfirmForm):
    """Why a run rests, or goes on."""

    reason = forms.CharField(label="Reason", widget=REASON)


class ResumeForm(RestForm):
    """Bound to the pause that the person read: one that somebody asked for since is another one."""

    seen_asked = forms.CharField(widget=forms.HiddenInput, max_length=40, required=False)
    reason = forms.CharField(label="Reason", widget=REASON, required=False)


@require_http_methods(["GET", "HEAD", "POST"])
def pause(request: PageRequest, number: int) -> HttpResponse:
    """Say where the run would rest and what it keeps, and ask it to. Raises Http404."""

    def act(this: MigrationRun, form: forms.Form) -> None:
        request_pause(this, reason=form.cleaned_data["reason"], actor=actor_of(request))

    return _answer(request, number, PAUSE, RestForm, act)


@require_http_methods(["GET", "HEAD", "POST"])
def resume_run(request: PageRequest, number: int) -> HttpResponse:
    """Say what is looked at before the run goes on, and let it. Raises Http404."""

    def act(this: MigrationRun, form: forms.Form) -> None:
        if this.pause_requested_at and form.cleaned_data["seen_asked"] != _asked(this):
            raise Stale(subject=f"Run {this}", expected="paused as you read it")
        resume(this, reason=form.cleaned_data["reason"], actor=actor_of(request))

    return _answer(request, number, RESUME, ResumeForm, act)


def _answer(
    request: PageRequest,
    number: int,
    key: str,
    form_class: type[RestForm],
    act: Callable[[MigrationRun, forms.Form], None],
) -> HttpResponse:
    this = found(request, number)
    if request.method != "POST":
        return _show(request, this, key, _fresh(form_class, this, key))
    form = form_class(request.POST)
    form.fields["reason"].help_text = WHY[key]
    if not form.is_valid():
        return _show(request, this, key, form, status=422)
    try:
        act(this, form)
    except DeploymentError as refusal:
        now = found(request, number)
        kept = _fresh(form_class, now, key, reason=form.cleaned_data["reason"])
        return _show(request, now, key, kept, refusal=refusal, status=status_of(refusal))
    return redirect("run", number)


def _fresh(form_class: type[RestForm], this: MigrationRun, key: str, **typed: str) -> RestForm:
    form = form_class(initial=bound_to(this) | {"seen_asked": _asked(this)} | typed)
    form.fields["reason"].help_text = WHY[key]
    return form


def _asked(this: MigrationRun) -> str:
    return this.pause_requested_at.isoformat() if this.pause_requested_at else ""


def _show(
    request: PageRequest,
    this: MigrationRun,
    key: str,
    form: RestForm,
    *,
    refusal: DeploymentError | None = None,
    status: int = 200,
) -> HttpResponse:
    seen = run_page(this, request.user)
    context: dict[str, Any] = deed_context(seen, key, refusal)
    if key == RESUME and seen.pause is None:
        context["closed"] = f"Run {this} is not paused."
    if key == PAUSE and seen.pause is not None:
        context["closed"] = f"{seen.pause.by} asked it to pause already."
    context |= {"form": form, "rest": rests(this), "pause": seen.pause, "sent": list(sent(request))}
    return page(request, f"runs/{key}", context, status=status)
