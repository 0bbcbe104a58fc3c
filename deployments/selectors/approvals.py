"""Which runs wait for whose decision, and what was decided."""

from dataclasses import dataclass

from checks.policy import Unmet
from checks.risk import Risk
from deployments.authority import seen_environments
from deployments.models import Approval, MigrationRun, User
from deployments.selectors.run_page import What, what_of
from deployments.selectors.waiting import Waiting, waiting_runs

MOST_DECIDED = 30


@dataclass(frozen=True, slots=True)
class Undecided:
    """A run that people still have to decide about. `why_not` is why it does not wait for this person."""

    run: MigrationRun
    what: What
    risk: Risk
    migrations: int
    databases: int
    unmet: tuple[Unmet, ...]
    why_not: str


@dataclass(frozen=True, slots=True)
class Decisions:
    """What waits for this person, what waits for others, and the newest decisions. `more` runs wait besides."""

    mine: tuple[Undecided, ...]
    others: tuple[Undecided, ...]
    decided: tuple[Approval, ...]
    more: int


def decisions(user: User) -> Decisions:
    """Return what a person may know of, most urgent first: the higher class, then the older run."""
    waiting = waiting_runs(user)
    undecided = sorted(
        (_undecided(one) for one in waiting.shown if one.wants_people),
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
        more=waiting.more,
    )


def _undecided(waiting: Waiting) -> Undecided:
    run, plan = waiting.run, waiting.run.plan
    return Undecided(
        run=run,
        what=what_of(run),
        risk=Risk(plan["class"]),
        migrations=len(plan["migrations"]),
        databases=len(plan["databases"]),
        unmet=waiting.unmet,
        why_not=waiting.why_not,
    )
