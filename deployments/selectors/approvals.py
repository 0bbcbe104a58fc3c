"""Which runs wait for whose decision, and what was decided."""

from collections.abc import Sequence
from dataclasses import dataclass

from checks.policy import Unmet
from checks.risk import Risk
from deployments.authority import Action, may, seen_environments
from deployments.models import Approval, MigrationRun, User
from deployments.selectors.overview import waiting_runs
from deployments.selectors.run_page import What, what_of

MOST_DECIDED = 30


@dataclass(frozen=True, slots=True)
class Undecided:
    """A run that people still have to decide about. `why_not` is why this person cannot, "" if they can."""

    run: MigrationRun
    what: What
    risk: Risk
    migrations: int
    databases: int
    unmet: tuple[Unmet, ...]
    why_not: str


@dataclass(frozen=True, slots=True)
class Decisions:
    """What waits for this person, what waits for others, and the newest decisions."""

    mine: tuple[Undecided, ...]
    others: tuple[Undecided, ...]
    decided: tuple[Approval, ...]


def decisions(user: User) -> Decisions:
    """Return what a person may know of, most urgent first: the higher class, then the older run."""
    wanting = [one for one in waiting_runs(user) if any(need.rule.startswith("approval-") for need in one.unmet)]
    undecided = sorted(
        (_undecided(user, one.run, one.unmet, may_decide=one.may_decide) for one in wanting),
        key=lambda one: (-one.risk.rank, one.run.number),
    )
    decided = (
        Approval.objects.filter(run__environment__in=seen_environments(user))
        .select_related("approver", "run__environment__application")
        .order_by("-id")[:MOST_DECIDED]
    )
    return Decisions(
        mine=tuple(one for one in undecided if not one.why_not),
        others=tuple(one for one in undecided if one.why_not),
        decided=tuple(decided),
    )


def _undecided(user: User, run: MigrationRun, unmet: Sequence[Unmet], *, may_decide: bool) -> Undecided:
    plan = run.plan
    return Undecided(
        run=run,
        what=what_of(run),
        risk=Risk(plan["class"]),
        migrations=len(plan["migrations"]),
        databases=len(plan["databases"]),
        unmet=tuple(unmet),
        why_not="" if may_decide else may(user, Action.DECIDE, run).reason,
    )
