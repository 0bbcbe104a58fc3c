"""Restoring what a run kept: what would it put back, what is lost, and the press. Made for a phone at night."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from checks.policy import Requirements, unmet
from deployments.authority import Action, Decision, eligible, may
from deployments.digest import digest_of
from deployments.errors import DeploymentError
from deployments.models import MigrationRun
from deployments.selectors.clock import database_now
from deployments.selectors.restores import Measured, Source, closed, measured, source_of
from deployments.selectors.run_actions import target_of
from deployments.services.plan_refusals import AlreadyRequested, DraftMoved
from deployments.services.restore import draft_restore, request_price, restore
from deployments.views.base import PageRequest, actor_of, page, see_other, unchanged
from deployments.views.errors import status_of
from deployments.views.forms import ConfirmForm
from deployments.views.run import found

CONFLICT = 409


class RestoreForm(ConfirmForm):
    """A reason, whether writes stop at once, and the typed path of the environment: something is always lost."""

    reason = forms.CharField(
        label="Reason",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="For the record. One sentence is enough.",
    )
    stop_writes = forms.BooleanField(
        label="Stop writes now",
        required=False,
        help_text="Sessions end once and then only read, until the databases are exchanged. A session can undo that "
        "for itself: what is written all the same is counted.",
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """A restore as one person sees it now: its source and price, and its plan or why there is none."""

    run: MigrationRun
    source: Source | None
    closed: str
    price: Measured
    plan: dict[str, Any]
    digest: str
    refusal: DeploymentError | None
    decision: Decision

    @property
    def waits(self) -> tuple[str, ...]:
        """What the run would wait for before it starts."""
        if not self.plan:
            return ()
        needs = Requirements.of_plan(self.plan["requirements"])
        return tuple(one.text for one in unmet(needs, given=(), missing_in_staging=(), now=database_now()))

    @property
    def version(self) -> str:
        """What differs whenever what is shown may."""
        asked = f"{self.price.number}{self.price.is_asked}"
        return digest_of("|".join([self.digest, self.closed, str(self.run.revision), asked, str(self.refusal)]))[:16]


@require_http_methods(["GET", "HEAD", "POST"])
def restore_page(request: PageRequest, number: int) -> HttpResponse:
    """Show what can be restored because of a run, have its price measured, and press. Raises Http404."""
    run = found(request, number)
    if request.method != "POST":
        seen = _seen(request, run)
        return unchanged(request, seen.version) or _show(request, seen, _form(seen))
    if "measure" in request.POST:
        request_price(run, actor=actor_of(request))
        return see_other("restore", number)
    return _press(request, run)


def _seen(request: PageRequest, run: MigrationRun) -> Seen:
    source = source_of(run)
    plan, digest, refusal = {}, "", None
    try:
        text, _, _ = draft_restore(run, stop_writes=False)
        plan, digest = MigrationRun(plan_text=text).plan, digest_of(text)
    except DeploymentError as why:
        refusal = why
    decision = may(request.user, Action.RESTORE, run)
    return Seen(run, source, closed(run, source), measured(run), plan, digest, refusal, decision)


def _form(seen: Seen, data: Any = None, **initial: Any) -> RestoreForm:
    bound_to = {"digest": seen.digest, "revision": seen.run.revision}
    return RestoreForm(data, target=str(seen.run.environment), verb="restore", initial=bound_to | initial)


def _press(request: PageRequest, run: MigrationRun) -> HttpResponse:
    seen = _seen(request, run)
    form = _form(seen, request.POST)
    if not form.is_valid():
        return _show(request, seen, form, status=422)
    given = form.cleaned_data
    if twin := MigrationRun.objects.filter(request_key=given["request_key"]).first():
        return see_other("run", twin.number)  # pressed twice: it is under way
    try:
        if given["digest"] != seen.digest or not seen.digest:
            raise seen.refusal or DraftMoved(environment=str(run.environment))
        text, _, _ = draft_restore(run, stop_writes=given["stop_writes"])
        made = restore(
            run,
            reason=given["reason"],
            request_key=given["request_key"],
            digest=digest_of(text),
            stop_writes=given["stop_writes"],
            actor=actor_of(request),
        )
    except AlreadyRequested:
        made = MigrationRun.objects.get(request_key=given["request_key"])
    except DeploymentError as refused:
        now = _seen(request, found(request, run.number))
        status = CONFLICT if now.digest != given["digest"] and now.decision else status_of(refused)
        return _show(request, now, _form(now, reason=given["reason"]), refused=refused, status=status)
    return see_other("run", made.number)


def _show(
    request: PageRequest, seen: Seen, form: RestoreForm, *, refused: DeploymentError | None = None, status: int = 200
) -> HttpResponse:
    run = seen.run
    name = "restore/verdict" if request.GET.get("part") == "verdict" and request.htmx else "restore/restore"
    approvers = eligible(Action.DECIDE, run.environment) if seen.waits else []
    context = {
        "run": run,
        "seen": seen,
        "source": seen.source,
        "price": seen.price,
        "form": form,
        "target": target_of(run),
        "live": f"{reverse('restore', args=[run.number])}?part=verdict",
        "approvers": [one for one in approvers if one != request.user],
        "who_can": [] if seen.decision else eligible(Action.RESTORE, run),
        "refused": refused,
        "has_moved": status == CONFLICT,
    }
    return page(request, name, context, status=status)
