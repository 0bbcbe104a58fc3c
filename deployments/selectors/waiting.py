"""The runs that await a decision or their start, and for whom: so many questions, however many runs there are."""

from collections import Counter
from dataclasses import dataclass

from django.db.models import JSONField, Prefetch, Q
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Cast

from checks.policy import Unmet
from deployments.authority import ROLES, Action, may, roles, seen_environments
from deployments.models import Job, MigrationRun, User
from deployments.models.approval import Verdict
from deployments.selectors.runs import unmet_of_each
from deployments.states import RunState

MOST = 200
NOT_YOURS = "It waits for another role than yours. You can still say no."
APPROVAL = "approval-"  # so begins the rule of an approval that is missing; the role follows


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that waits for somebody, why, and whether this person can do something about it."""

    run: MigrationRun
    unmet: tuple[Unmet, ...]
    may_decide: bool
    is_wanted: bool  # it waits for a role that this person holds, and they may decide
    may_start: bool
    why_not: str  # it does not wait for them; "" if it does

    @property
    def wants_people(self) -> bool:
        """Whether an approval is missing."""
        return any(one.rule.startswith(APPROVAL) for one in self.unmet)


@dataclass(frozen=True, slots=True)
class WaitingRuns:
    """The oldest of them, those for this person first, and how many more there are."""

    shown: tuple[Waiting, ...]
    more: int


def waiting_runs(user: User) -> WaitingRuns:
    """Return the runs that await a decision or their start and that this person may see."""
    every = MigrationRun.objects.filter(environment__in=seen_environments(user), state=RunState.AWAITING)
    runs = list(
        every.select_related("environment__application", "requested_by")
        .prefetch_related(
            Prefetch("jobs", Job.objects.select_related("database", "run")), "approvals__approver", "authors"
        )
        .order_by("number")[: MOST + 1]
    )
    more = every.count() - MOST if len(runs) > MOST else 0
    held = list(user.grants.all())
    unmet = unmet_of_each(runs[:MOST])
    found = []
    for run in runs[:MOST]:
        missing = unmet[run.pk]
        wanted = {one.rule.removeprefix(APPROVAL) for one in missing if one.rule.startswith(APPROVAL)}
        decision = may(user, Action.DECIDE, run, held=held)
        may_decide = bool(wanted) and bool(decision)
        is_wanted = may_decide and not wanted.isdisjoint(roles(user, run, held=held))
        found.append(
            Waiting(
                run=run,
                unmet=missing,
                may_decide=may_decide,
                is_wanted=is_wanted,
                may_start=not missing and bool(may(user, Action.REQUEST, run, held=held)),
                why_not=decision.reason if not may_decide else "" if is_wanted else NOT_YOURS,
            )
        )
    return WaitingRuns(tuple(sorted(found, key=lambda one: not (one.is_wanted or one.may_start))), more)


def decisions_waiting_for(user: User) -> int:
    """Return how many runs wait for an approval that this person can give. For every page: no plan is read."""
    held = list(user.grants.all())
    if not user.is_active or not any(grant.role in ROLES[Action.DECIDE] for grant in held):
        return 0
    roles_asked = KeyTransform("approvals", KeyTransform("requirements", Cast("plan_text", JSONField())))
    runs = (
        MigrationRun.objects.filter(environment__in=seen_environments(user), state=RunState.AWAITING)
        .exclude(Q(requested_by=user) | Q(authors__user=user) | Q(approvals__approver=user))
        .annotate(asked=roles_asked)
        .select_related("environment__application")
        .prefetch_related("approvals")
        .defer("plan_text", "judgement")
    )
    count = 0
    for run in runs:
        asked: Counter[str] = Counter(run.asked)
        missing = asked - Counter(one.role for one in run.approvals.all() if one.verdict == Verdict.APPROVED)
        count += not missing.keys().isdisjoint(roles(user, run, held=held))
    return count
