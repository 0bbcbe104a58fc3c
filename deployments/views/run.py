"""The page of one run: is it safe right now, and what happens next?"""

from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from deployments.authority import Action, may
from deployments.errors import DeploymentError
from deployments.models import MigrationRun
from deployments.selectors.rail import STAGES
from deployments.selectors.run_actions import APPROVE, CANCEL, PAUSE, RESOLVE, RESTORE, RESUME, ROLL_BACK, START
from deployments.selectors.run_page import RunPage, run_page, seen_run
from deployments.selectors.run_plan import plan_of, scripts_of, sizes_of
from deployments.services.decide import PlanIsAnother, start
from deployments.states import RunState
from deployments.views.base import PageRequest, actor_of, page, unchanged, wants_fragment
from deployments.views.errors import status_of
from deployments.views.forms import ConfirmForm
from deployments.views.latency import shown_latency
from deployments.views.planned import at_once, named, reasons, rest_of, shown
from deployments.views.signs import sign_of

BUSY_PACE, CALM_PACE = 1, 5  # seconds between two questions of the page
MARKS = {"run": "◔", "ok": "✓", "fail": "✕", "wait": "◷", "unknown": "?", "back": "↶"}
"""What the tab says before the number, by the kind of a sign."""
ICONS = {
    APPROVE: "user-check",
    START: "play",
    PAUSE: "pause",
    RESUME: "play",
    CANCEL: "circle-stop",
    RESOLVE: "wrench",
    ROLL_BACK: "undo-2",
    RESTORE: "archive",
}
KINDS = {APPROVE: "primary", RESUME: "primary", RESOLVE: "primary"}
PAGES = {
    APPROVE: "approval",
    START: "run-start",
    PAUSE: "run-pause",
    RESUME: "run-resume",
    CANCEL: "run-cancel",
    RESOLVE: "run-resolve",
    ROLL_BACK: "rollback",
    RESTORE: "restore",
}
"""Where the doors lead: names of addresses that take the number of a run."""


@require_safe
def run(request: PageRequest, number: int) -> HttpResponse:
    """Show a run; for HTMX the part of it that lives. Raises Http404."""
    seen = run_page(found(request, number), request.user)
    return unchanged(request, seen.version) or show(request, seen)


@require_http_methods(["GET", "HEAD", "POST"])
def start_run(request: PageRequest, number: int) -> HttpResponse:
    """Queue a run whose needs are met, and go back to its page. Raises Http404."""
    this = found(request, number)
    if request.method != "POST":  # a reload after a refusal
        return redirect("run", number)
    form = ConfirmForm(request.POST)
    try:
        if not form.is_valid() or form.cleaned_data["digest"] != this.digest:
            raise PlanIsAnother(number=this.number)
        start(this, actor=actor_of(request))
    except DeploymentError as refusal:
        this = found(request, number)
        return show(request, run_page(this, request.user), refusal=refusal, status=status_of(refusal))
    return redirect("run", number)


def found(request: PageRequest, number: int) -> MigrationRun:
    """Return the run of this number. Raises Http404 if there is none that this person may know of."""
    this = seen_run(request.user, number)
    if this is None:
        raise Http404
    return this


def show(
    request: PageRequest, seen: RunPage, *, refusal: DeploymentError | None = None, status: int = 200
) -> HttpResponse:
    """Return the page of a run, with what was refused if something was."""
    databases = seen.plan["databases"]
    context: dict[str, Any] = {
        "seen": seen,
        "run": seen.run,
        "doors": [
            (door, ICONS[door.key], KINDS.get(door.key, ""), reverse(PAGES[door.key], args=[seen.run.number]))
            for door in seen.doors
        ],
        "start_form": ConfirmForm(initial={"digest": seen.run.digest, "revision": seen.run.revision}),
        "rehearse_form": ConfirmForm(
            auto_id="rehearse_%s", initial={"digest": seen.run.digest, "revision": seen.run.revision}
        ),
        "pace": BUSY_PACE if seen.run.state == RunState.RUNNING else CALM_PACE,
        "tab": tab_of(seen),
        "database": databases[0]["name"] if len(databases) == 1 else f"{len(databases)} databases",
        "version": seen.works[0].version if seen.works else "",
        "audit": f"{reverse('audit')}?run={seen.run.number}",
        "refusal": refusal,
        "latency": shown_latency(seen),
        "may_end": may(request.user, Action.END_SESSION, seen.run),
        "stages": STAGES.get(seen.run.kind, ()),
    }
    if not wants_fragment(request):
        plan = plan_of(seen.run)
        now = at_once(plan.migrations, sizes_of(plan.migrations))
        migrations = shown(seen.run, plan.migrations, scripts_of(now))
        context |= {
            "plan": plan,
            "migrations": named(migrations),
            "rest": rest_of(len(migrations)),
            "reasons": reasons(plan.reasons, migrations),
        }
    return page(request, "runs/run", context, status=status)


def tab_of(seen: RunPage) -> tuple[str, str]:
    """Return what the tab says, and the kind of its icon."""
    sign = sign_of(seen.verdict.shown)
    mark = MARKS.get(sign.kind, "")
    return f"{mark} {seen.run} {sign.word.lower()}".strip(), sign.kind
