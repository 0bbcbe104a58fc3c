"""Approvals: what waits for me, most urgent first? And the page on which a person decides about one run."""

from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from checks.risk import Risk
from deployments.authority import Action, may, roles
from deployments.errors import DeploymentError
from deployments.models import AuditEvent, MigrationRun
from deployments.models.approval import Verdict
from deployments.models.grant import Role
from deployments.models.run import RunKind
from deployments.selectors.approval import Case, case_of, changes_since
from deployments.selectors.approvals import decisions
from deployments.selectors.asked import ROLE_NAMES
from deployments.selectors.conflicts import conflicts_of
from deployments.selectors.run_actions import target_of
from deployments.selectors.run_page import seen_run, what_of
from deployments.services.decide import decide
from deployments.states import RunState
from deployments.views.base import PageRequest, actor_of, page, see_other
from deployments.views.errors import status_of
from deployments.views.forms import ConfirmForm
from deployments.views.planned import at_once, named, reasons, rest_of, shown

CONFLICT = 409
LONGEST_COMMENT = 4000
DEEDS = {"run.approved": "approved it", "run.rejected": "rejected it", "run.cancel-requested": "asked to cancel it"}


class DecisionForm(ConfirmForm):
    """A yes or a no. A yes to high-risk takes the typed path of the environment, a no takes a comment."""

    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)  # the last event about the run on the page
    comment = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 3}),
        required=False,
        max_length=LONGEST_COMMENT,
        help_text="Needed to reject. It stands in the record.",
    )

    def __init__(self, *args: Any, is_rejection: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_rejection = is_rejection

    def clean_comment(self) -> str:
        """Return the comment. Raises ValidationError if a rejection has none."""
        comment = str(self.cleaned_data["comment"]).strip()
        if self.is_rejection and not comment:
            raise forms.ValidationError("Say why you reject it. Nothing was decided.")
        return comment


@require_safe
def approvals(request: PageRequest) -> HttpResponse:
    """List what waits for a decision of this person, of others, and what was decided."""
    return page(request, "approvals/approvals", {"seen": decisions(request.user)})


@require_http_methods(["GET", "HEAD", "POST"])
def approval(request: PageRequest, number: int) -> HttpResponse:
    """Show everything a decision about one run needs, and take it. Raises Http404."""
    run = _found(request, number)
    if request.method == "POST":
        return _decide(request, run)
    return _show(request, run)


def _found(request: PageRequest, number: int) -> MigrationRun:
    run = seen_run(request.user, number)
    if run is None:
        raise Http404
    return run


def _decide(request: PageRequest, run: MigrationRun) -> HttpResponse:
    is_rejection = request.POST.get("verdict") == Verdict.REJECTED
    form = _form(run, request.POST, is_rejection=is_rejection)
    if not form.is_valid():
        return _show(request, run, form=form, status=422)
    given = form.cleaned_data
    try:
        decide(
            run,
            verdict=Verdict.REJECTED if is_rejection else Verdict.APPROVED,
            digest=given["digest"],
            revision=given["revision"] or 0,
            comment=given["comment"],
            actor=actor_of(request),
        )
    except DeploymentError as refusal:
        now = _found(request, run.number)
        # The text stays; what was read and the name that was typed belong to the page that is gone.
        form = _form(now, initial={"comment": given["comment"]})
        changes = changes_since(now, given["seen"]) if given["seen"] else []
        return _show(request, now, form=form, refusal=refusal, changes=changes, status=status_of(refusal))
    return see_other("approval", run.number)


def _form(run: MigrationRun, data: Any = None, *, is_rejection: bool = False, **options: Any) -> DecisionForm:
    typed = run.plan["class"] == Risk.HIGH and not is_rejection
    target = str(run.environment) if typed else ""
    return DecisionForm(data, target=target, verb="approve", is_rejection=is_rejection, **options)


def _show(
    request: PageRequest,
    run: MigrationRun,
    *,
    form: DecisionForm | None = None,
    refusal: DeploymentError | None = None,
    changes: list[AuditEvent] | None = None,
    status: int = 200,
) -> HttpResponse:
    case = case_of(run)
    allowed = may(request.user, Action.DECIDE, run)
    form = form or _form(run)
    form.initial.update(digest=run.digest, revision=run.revision, seen=case.seen)
    mine = _hat(request, run, case) if allowed else ""
    sizes = {sha: len(bytes(one.body)) for sha, one in case.scripts.items()}
    now = {sha for one in at_once(case.migrations, sizes) for sha in (one.runs, one.back, one.verify)}
    migrations = shown(run, case.migrations, {sha: one for sha, one in case.scripts.items() if sha in now})
    worst = next((one for one in migrations if case.worst and one.planned.name == case.worst.migration), None)
    context = {
        "run": run,
        "case": case,
        "what": what_of(run),
        "target": target_of(run),
        "migrations": named(migrations),
        "rest": rest_of(len(migrations)),
        "count": len(migrations),
        "is_whole": all(one.passages is not None for one in migrations),
        "reasons": reasons(run.judgement["reasons"], migrations),
        "worst": worst,
        "form": form,
        "allowed": allowed,
        "hat": mine,
        "say": _say(run, case, mine),
        "conflicts": conflicts_of(run),
        "others": [one for one in case.eligible if one != request.user],
        "refusal": refusal,
        "changes": [(one, _deed(one)) for one in changes or ()],
        "has_moved": status == CONFLICT,
    }
    return page(request, "approvals/approval", context, status=status)


def _hat(request: PageRequest, run: MigrationRun, case: Case) -> str:
    """Return the role in which this person would decide: the one still missing if they hold it."""
    worn = [role for role in roles(request.user, run) if role in {Role.DBA, Role.ARCHITECT}]
    waiting = {one.rule.removeprefix("approval-") for one in case.unmet}
    return ROLE_NAMES[next((role.value for role in worn if role.value in waiting), worn[0].value)]


def _deed(event: AuditEvent) -> str:
    """Return what somebody did to a run, in words."""
    if event.action == "run.moved":
        return f"moved it from {event.before} to {event.after}"
    return DEEDS.get(event.action, event.action)


def _say(run: MigrationRun, case: Case, hat: str) -> str:
    """Return what follows from a yes: what, where, and when."""
    if run.state != RunState.AWAITING:
        return f"Run {run} is {RunState(run.state).label.lower()}: there is nothing left to decide."
    count = len(case.migrations)
    back = run.kind == RunKind.ROLLBACK
    verb = ("goes back" if count == 1 else "go back") if back else ("runs" if count == 1 else "run")
    then = f"{count} migration{'' if count == 1 else 's'} {verb} on {run.environment} when somebody starts it."
    if case.restore:
        then = f"{run.environment} is restored when somebody starts it."
    waits = list(case.waits_for)
    if not waits:
        return f"No approval is missing: {then}"
    who = []
    if hat in waits:
        waits.remove(hat)
        who = ["you"]
    who += [f"{'an' if one == 'architect' else 'a'} {one}" for one in waits]
    approve = "approves" if len(who) == 1 and who != ["you"] else "approve"
    return f"If {' and '.join(who)} {approve}, {then}"
