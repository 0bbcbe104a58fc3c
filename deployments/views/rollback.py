"""The way back from a run: what happens if I press it, and what is lost? Made for a phone at night."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from checks.errors import CheckError
from checks.losses import Reach
from checks.policy import unmet
from deployments.authority import Action, Decision, eligible, may, require
from deployments.digest import digest_of
from deployments.errors import DeploymentError
from deployments.models import MigrationRun
from deployments.selectors.clock import database_now
from deployments.selectors.restores import source_of
from deployments.selectors.rollback_page import ScriptDoor, script_door
from deployments.selectors.run_actions import target_of
from deployments.selectors.way_back import WayBack, destroyed_by, way_back
from deployments.services.draft import Draft, draft_rollback
from deployments.services.observe import request_observation
from deployments.services.plan_refusals import AlreadyRequested
from deployments.services.rollback import roll_back
from deployments.services.script_price import request_script_price
from deployments.services.transition import Stale
from deployments.views.base import PageRequest, actor_of, page, see_other, unchanged
from deployments.views.errors import status_of
from deployments.views.forms import ConfirmForm
from deployments.views.run import found

CONFLICT = 409
LONGEST_SHOWN = 6000  # characters of all scripts; the page is for a slow phone, and longer ones are on another one
MOST_NAMED = 8
MOST_LISTED = 30  # scripts, each of which costs markup of its own
LOCKING = frozenset(
    {
        "check-scan",
        "column-added-with-check",
        "column-added-with-index",
        "column-added-with-reference",
        "column-default-volatile",
        "column-generated-stored",
        "column-numbered",
        "column-of-constrained-domain",
        "column-type-change",
        "column-type-time-zone",
        "data-change-without-where",
        "domain-constraint-scan",
        "exclusion-build",
        "foreign-key-scan",
        "index-not-concurrent",
        "key-type-change",
        "primary-key-build",
        "primary-key-scan",
        "set-not-null-scan",
        "unique-build",
        "validated-in-same-transaction",
    }
)
"""Findings that say what waits, and for how long."""
Refusal = DeploymentError | CheckError


class RollbackForm(ConfirmForm):
    """A reason, and the typed path of the environment where something is lost."""

    reason = forms.CharField(
        label="Reason",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="For the record. One sentence is enough.",
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """The way back as one person sees it now: its draft, or why there is none."""

    back: WayBack
    draft: Draft | None
    refusal: Refusal | None  # of the draft
    script: ScriptDoor | None
    decision: Decision

    @property
    def loses(self) -> bool:
        """Whether something is lost, or may be: then the name is typed."""
        return self.script is not None and self.script.loses

    @property
    def reaches_further(self) -> bool:
        """Whether tables that the scripts do not name may lose rows as well."""
        return self.script is not None and any(one.reach != Reach.ALONE for one in self.script.lost.tables)

    @property
    def kept_first(self) -> bool:
        """Whether something is dumped before it is destroyed."""
        return self.script is not None and bool(self.script.names)

    @property
    def waits(self) -> tuple[str, ...]:
        """What the run of the way back would wait for before it starts."""
        if self.draft is None:
            return ()
        waits = unmet(self.draft.needs, given=(), missing_in_staging=(), now=database_now())
        return tuple(one.text for one in waits)

    @property
    def version(self) -> str:
        """What differs whenever the verdict may."""
        draft = self.draft.digest if self.draft else str(self.refusal)
        read = [str(one.observation.pk) if one.observation else "" for one in self.back.left]
        told = [str(self.script.verdict), str(self.script.cost)] if self.script else []
        return digest_of("|".join([draft, self.back.closed, str(self.back.run.revision), *read, *told]))[:16]


@require_http_methods(["GET", "HEAD", "POST"])
def rollback(request: PageRequest, number: int) -> HttpResponse:
    """Show the ways back with their price, and press the first one. Raises Http404."""
    run = found(request, number)
    if request.method != "POST":
        seen = _seen(request, run)
        return unchanged(request, seen.version) or _show(request, seen, _form(seen))
    if "read" in request.POST:
        require(actor_of(request), Action.ROLL_BACK, run)
        request_observation()
        return see_other(reverse("rollback", args=[number]) + "?asked")
    if "count" in request.POST:
        request_script_price(run, actor=actor_of(request))
        return see_other("rollback", number)
    return _press(request, run)


def _seen(request: PageRequest, run: MigrationRun) -> Seen:
    back, draft, refusal = way_back(run), None, None
    try:
        draft = draft_rollback(run)
    except (DeploymentError, CheckError) as why:
        refusal = why
    script = None
    if draft is not None:
        lost = destroyed_by(draft.migrations)
        names = dict.fromkeys((*(one.table for one in lost.tables), *(f"schema {one}" for one in lost.schemas)))
        script = script_door(run, draft.entries, lost, tuple(names), draft.observations)
    return Seen(back, draft, refusal, script, may(request.user, Action.ROLL_BACK, run))


def _form(seen: Seen, data: Any = None, **initial: Any) -> RollbackForm:
    bound_to = {"digest": seen.draft.digest if seen.draft else "", "revision": seen.back.run.revision}
    target = str(seen.back.run.environment) if seen.loses else ""
    return RollbackForm(data, target=target, verb="roll back", initial=bound_to | initial)


def _press(request: PageRequest, run: MigrationRun) -> HttpResponse:
    seen = _seen(request, run)
    form = _form(seen, request.POST)
    if not form.is_valid():
        return _show(request, seen, form, status=422)
    given = form.cleaned_data
    if twin := MigrationRun.objects.filter(request_key=given["request_key"]).first():
        return see_other("run", twin.number)  # pressed twice: it is under way
    try:
        if seen.back.closed:
            raise Stale(subject=f"Run {run}", expected="as you saw it")
        made = roll_back(
            run,
            reason=given["reason"],
            request_key=given["request_key"],
            digest=given["digest"] or "none",
            actor=actor_of(request),
        )
    except AlreadyRequested:
        made = MigrationRun.objects.get(request_key=given["request_key"])
    except (DeploymentError, CheckError) as refused:
        now = _seen(request, found(request, run.number))
        moved = now.draft is None or now.draft.digest != given["digest"]
        status = CONFLICT if moved and now.decision else status_of(refused)
        return _show(request, now, _form(now, reason=given["reason"]), refused=refused, status=status)
    return see_other("run", made.number)


def _show(
    request: PageRequest, seen: Seen, form: RollbackForm, *, refused: Refusal | None = None, status: int = 200
) -> HttpResponse:
    run, draft = seen.back.run, seen.draft
    name = "rollback/verdict" if request.GET.get("part") == "verdict" and request.htmx else "rollback/rollback"
    scripts = [(one.name, one.rollback) for one in draft.migrations if one.rollback] if draft else []
    approvers = eligible(Action.DECIDE, run.environment) if seen.waits else []
    digest = draft.digest if draft else ""
    context = {
        "run": run,
        "seen": seen,
        "restore": source_of(run) if seen.back.backups else None,
        "form": form,
        "target": target_of(run),
        "live": f"{reverse('rollback', args=[run.number])}?part=verdict&of={digest}",
        "is_another": request.GET.get("of", digest) != digest,
        "scripts": scripts,
        "is_long": len(scripts) > MOST_LISTED or sum(len(script.body) for _, script in scripts) > LONGEST_SHOWN,
        "listed": scripts[:MOST_LISTED],
        "unlisted": max(0, len(scripts) - MOST_LISTED),
        "named": [name for name, _ in scripts[:MOST_NAMED]],
        "more": max(0, len(scripts) - MOST_NAMED),
        "locks": [] if seen.script and seen.script.locks else _locks(draft),
        "approvers": [one for one in approvers if one != request.user],
        "who_can": [] if seen.decision else eligible(Action.ROLL_BACK, run),
        "has_asked": "asked" in request.GET,
        "refused": refused,
        "has_moved": status == CONFLICT,
    }
    return page(request, name, context, status=status)


def _locks(draft: Draft | None) -> list[str]:
    """Return what the checks say about the rollback scripts; a lock that none of them names is not measured."""
    if draft is None:
        return []
    findings = (one for shown in draft.judged.shown.values() for one in shown["findings"])
    return list(dict.fromkeys(one["message"] for one in findings if one["code"] in LOCKING))
