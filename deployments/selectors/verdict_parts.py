"""What the verdicts of a run are made of: its works, facts, and what it has done to its databases, in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from checks.words import counted
from deployments.models import Job, MigrationRun, Script
from deployments.models.run import RunKind
from deployments.selectors.rail import MIGRATE, Stage
from deployments.selectors.runs import effect_of


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact of a verdict: a text, or an instant."""

    label: str
    text: str = ""
    at: datetime | None = None
    is_ago: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """`shown` is the sign's name: a state as stored, or a derived one."""

    shown: str
    say: str
    plain: str
    facts: tuple[Fact, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """A job with what is to be said about it."""

    job: Job
    rail: tuple[Stage, ...]
    lost: bool
    blocked_by: Job | None
    version: str = ""  # of the server, "" if it was never read

    @property
    def current(self) -> Stage | None:
        """Where the job is, or where it ended badly."""
        return next((one for one in self.rail if one.is_current), None)

    @property
    def has_begun_to_migrate(self) -> bool:
        """Whether anything of the plan may have reached the target."""
        return any(one.name == MIGRATE and one.attempts for one in self.rail)


def in_force(run: MigrationRun, works: Sequence[Work]) -> str:
    """Return how much of the plan is in force, in numbers."""
    if run.kind == RunKind.RESTORE:
        return ", ".join(effect_of(one.job) for one in works) or "nothing exchanged"
    if run.kind == RunKind.REHEARSAL:
        return "nothing, it plays on a copy"
    planned = len(run.plan["migrations"])
    verb = "rolled back" if run.kind == RunKind.ROLLBACK else "applied"
    if not works:
        return f"0 of {planned} {verb}"
    if len(works) == 1:
        return f"{works[0].job.applied} of {planned} {verb}"
    return ", ".join(f"{one.job.database.name} {one.job.applied} of {planned}" for one in works)


def effect(run: MigrationRun, works: Sequence[Work]) -> str:
    """Return what the run has done to its databases, as a sentence: the first thing to know."""
    if run.kind == RunKind.RESTORE:
        return f"{in_force(run, works).capitalize()}."
    planned = len(run.plan["migrations"])
    verb = "rolled back" if run.kind == RunKind.ROLLBACK else "applied"
    most = max((one.job.applied for one in works), default=0)
    if most == 0:
        return "Nothing was applied." if any(_may_have_left(run, one) for one in works) else "Nothing changed."
    if len(works) > 1 and any(one.job.applied != most for one in works):
        told = "; ".join(f"{one.job.database.name} {one.job.applied} of {planned}" for one in works)
        return f"Of {counted(planned, 'migration')} {verb}: {told}."
    whole = f"All {planned}" if planned > 1 else "The migration was"
    return f"{whole} {verb}." if most == planned else f"{most} of {planned} {verb}."


def _may_have_left(run: MigrationRun, work: Work) -> bool:
    """Whether a script outside of a transaction was begun: it may leave an index that is not finished."""
    if not work.has_begun_to_migrate:
        return False
    part = "rollback" if run.kind == RunKind.ROLLBACK else "forward"
    scripts = Script.objects.filter(pk__in=[entry[part] for entry in run.plan["migrations"]])
    return any(b"concurrently" in bytes(one.body).lower() for one in scripts)
