"""The backups of a database: how far each is proven, when it was last read, and why it stays."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Prefetch, QuerySet
from django.db.models.functions import Now

from deployments.models import Backup, BackupCheck, BackupHold, Database, Job, MigrationRun, Step, TargetRequest
from deployments.models.backup import UNSOUND, BackupScope, CheckOutcome
from deployments.models.run import RunKind
from deployments.models.target_request import RequestKind
from deployments.selectors.rail import MIGRATE
from deployments.states import JOB_FINAL, RUN_ACTIVE, JobState

MOST_SHOWN = 20
ROLLBACK_WINDOW = timedelta(hours=24)  # so long who is on call takes a deploy back alone
AT_WORK = (JobState.RUNNING, JobState.NEEDS_ATTENTION)
WORDS = {
    CheckOutcome.EQUAL: ("succeeded", "Verified"),
    CheckOutcome.SAMPLED: ("not-measured", "Restored, sampled"),
    CheckOutcome.VOUCHED: ("not-measured", "Restored by its driver, as that says"),
    CheckOutcome.RESTORED: ("not-measured", "Restored, not all compared"),
    CheckOutcome.READABLE: ("not-measured", "Readable"),
    CheckOutcome.DAMAGED: ("failed", "Damaged"),
    CheckOutcome.DIFFERENT: ("failed", "Restored and different"),
    CheckOutcome.UNREACHABLE: ("not-measured", "Store not readable"),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """One backup as a page shows it. `state` and `word` say how far it is proven; `stays` why it is not removed."""

    backup: Backup
    state: str
    word: str
    read_at: datetime | None  # when it was last read to its end since it was made
    stays: str
    is_held: bool
    is_gone: bool

    @property
    def version(self) -> str:
        """What changes when the page does."""
        return f"{self.backup.pk}{self.word}{self.read_at}{self.stays}"


def kept_backups() -> QuerySet[Backup]:
    """Return the backups whose files are there, oldest first."""
    return Backup.objects.filter(expiry__isnull=True).select_related("job__run").order_by("pk")


def backups_of(database: Database, *, days: int, count: int) -> list[Kept]:
    """Return the newest backups of a database. `days` and `count` are the rules by which they stay."""
    newest_first = Prefetch("checks", BackupCheck.objects.order_by("-pk"), to_attr="newest_checks")
    found = Backup.objects.filter(job__database=database).select_related("job__run", "expiry").order_by("-pk")
    return [_kept(one, days=days, count=count) for one in found.prefetch_related(newest_first)[:MOST_SHOWN]]


def _kept(backup: Backup, *, days: int, count: int) -> Kept:
    checks: list[BackupCheck] = backup.newest_checks  # type: ignore[attr-defined]
    is_gone = hasattr(backup, "expiry")
    outcome = proven_by(checks)
    state, word = WORDS[outcome] if outcome else ("not-measured", "Read when made")
    if backup.scope == BackupScope.SERVER and outcome in {None, CheckOutcome.READABLE}:
        word = f"Made by {backup.driver}, not restored by us"
    read = next((one.made_at for one in checks if one.outcome == CheckOutcome.READABLE), None)
    return Kept(
        backup=backup,
        state="cancelled" if is_gone else state,
        word="Removed" if is_gone else word,
        read_at=read,
        stays="" if is_gone else reason_to_stay(backup, days=days, count=count),
        is_held=is_held(backup),
        is_gone=is_gone,
    )


def proven_by(checks: list[BackupCheck]) -> CheckOutcome | None:
    """Return the outcome that counts, newest first: damage at once, otherwise the furthest that was ever reached."""
    if not checks:
        return None
    if checks[0].outcome in UNSOUND:
        return CheckOutcome(checks[0].outcome)
    reached = {one.outcome for one in checks}
    best = (
        CheckOutcome.EQUAL,
        CheckOutcome.SAMPLED,
        CheckOutcome.VOUCHED,
        CheckOutcome.RESTORED,
        CheckOutcome.READABLE,
    )
    return next((one for one in best if one in reached), None)


def is_sound(backup: Backup) -> bool:
    """Return whether nothing bad was last found out about a backup."""
    latest = backup.checks.order_by("-pk").first()
    return latest is None or latest.outcome not in UNSOUND


def is_held(backup: Backup) -> bool:
    """Return whether a person said that it stays, and nobody since that it may go."""
    latest = BackupHold.objects.filter(backup=backup).order_by("-pk").first()
    return latest is not None and latest.is_held


def expected_seconds(backup: Backup) -> dict[str, float]:
    """Return how long each part of restoring a backup should take, from when one of its database was last restored.

    Another size takes as much more or less. Empty if none was ever restored.
    """
    tried = (
        BackupCheck.objects.filter(
            backup__job__database=backup.job.database_id, backup__scope=backup.scope, found__has_key="seconds"
        )
        .select_related("backup")
        .order_by("-pk")
        .first()
    )
    if tried is None:
        return {}
    share = backup.bytes / tried.backup.bytes
    return {part: seconds * share for part, seconds in tried.found["seconds"].items()}


def reason_to_stay(backup: Backup, *, days: int, count: int) -> str:
    """Return why a backup is not removed, "" if it may be."""
    if is_held(backup):
        return "held by a person"
    if not is_sound(backup):
        return "damaged: a person looks"
    if bound := bound_to(backup):
        return bound
    if _is_younger(backup, days):
        return f"not yet {days} days old"
    return f"one of the newest {count} sound ones" if _is_among_newest(backup, count) else ""


def bound_to(backup: Backup) -> str:
    """Return which open way back needs a backup, "" if none does. Whatever the rules say, it is not removed then."""
    return next((reason for reason, holds in BOUND if holds(backup)), "")


def _is_younger(backup: Backup, days: int) -> bool:
    return Backup.objects.filter(pk=backup.pk, created_at__gt=Now() - timedelta(days=days)).exists()


def _is_among_newest(backup: Backup, count: int) -> bool:
    if backup.scope == BackupScope.TABLES:
        return False
    others = kept_backups().filter(job__database=backup.job.database_id, scope=backup.scope, pk__gte=backup.pk)
    return sum(is_sound(one) for one in others) <= count


def _is_reverted_now(backup: Backup) -> bool:
    """Whether a rollback or restore because of its run waits or runs: the plan of a restore names this backup."""
    return backup.job.run.reverted_by.filter(state__in=sorted(RUN_ACTIVE)).exists()


def _is_read_now(backup: Backup) -> bool:
    """Whether somebody wants tables of it, and does not have them yet."""
    return TargetRequest.objects.filter(
        job=backup.job_id, kind=RequestKind.TABLES, answered_at=None, asked__backup=backup.pk
    ).exists()


def _is_on_top(backup: Backup) -> bool:
    """Whether no later deploy began to change its database. One that failed before, or a way back, closes nothing."""
    later = Step.objects.filter(
        job__database=backup.job.database_id,
        job__pk__gt=backup.job_id,
        job__run__kind=RunKind.DEPLOY,
        name=MIGRATE,
        started_at__isnull=False,
    )
    return not later.exists()


def _ended_lately(backup: Backup) -> bool:
    """Whether its run ended within the time in which who is on call takes it back alone: a run may take days."""
    runs = MigrationRun.objects.filter(pk=backup.job.run_id, finished_at__gt=Now() - ROLLBACK_WINDOW)
    return runs.exists()


def _is_at_work(backup: Backup) -> bool:
    """Whether a run works on its database: a rehearsal may be restoring this very backup."""
    return Job.objects.filter(database=backup.job.database_id, state__in=AT_WORK).exists()


BOUND: tuple[tuple[str, Callable[[Backup], bool]], ...] = (
    ("its run is not over", lambda one: one.job.state not in JOB_FINAL),
    ("a way back from its run is open", _is_reverted_now),
    ("tables of it are being restored", _is_read_now),
    ("its run can be rolled back: nothing was deployed on top", _is_on_top),
    ("its run ended less than a day ago", _ended_lately),
    ("a run is at work on its database", _is_at_work),
)
"""What binds a backup to an open way back, with its reason, in the order in which it is told."""
