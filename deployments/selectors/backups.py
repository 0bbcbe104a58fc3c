"""The backups of a database: how far each is proven, when it was last read, and why it stays."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Prefetch, QuerySet
from django.db.models.functions import Now

from deployments.models import Backup, BackupCheck, BackupHold, Database, Job
from deployments.models.backup import UNSOUND, BackupScope, CheckOutcome
from deployments.states import JOB_FINAL

MOST_SHOWN = 20
WORDS = {
    CheckOutcome.EQUAL: ("succeeded", "Verified"),
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
    best = (CheckOutcome.EQUAL, CheckOutcome.RESTORED, CheckOutcome.READABLE)
    return next((one for one in best if one in reached), None)


def is_sound(backup: Backup) -> bool:
    """Return whether nothing bad was last found out about a backup."""
    latest = backup.checks.order_by("-pk").first()
    return latest is None or latest.outcome not in UNSOUND


def is_held(backup: Backup) -> bool:
    """Return whether a person said that it stays, and nobody since that it may go."""
    latest = BackupHold.objects.filter(backup=backup).order_by("-pk").first()
    return latest is not None and latest.is_held


def reason_to_stay(backup: Backup, *, days: int, count: int) -> str:
    """Return why a backup is not removed, "" if it may be."""
    reasons = (
        ("held by a person", is_held),
        ("damaged: a person looks", lambda one: not is_sound(one)),
        ("its run is not over", lambda one: one.job.state not in JOB_FINAL),
        (f"not yet {days} days old", lambda one: _is_younger(one, days)),
        ("the way back of the last change", _is_way_back),
        (f"one of the newest {count} sound ones", lambda one: _is_among_newest(one, count)),
    )
    return next((reason for reason, holds in reasons if holds(backup)), "")


def _is_younger(backup: Backup, days: int) -> bool:
    return Backup.objects.filter(pk=backup.pk, created_at__gt=Now() - timedelta(days=days)).exists()


def _is_among_newest(backup: Backup, count: int) -> bool:
    if backup.scope != BackupScope.DATABASE:
        return False
    others = kept_backups().filter(job__database=backup.job.database_id, scope=BackupScope.DATABASE, pk__gte=backup.pk)
    return sum(is_sound(one) for one in others) <= count


def _is_way_back(backup: Backup) -> bool:
    """Whether no later job has written to the database: until then a rollback goes back to what is in it."""
    later = Job.objects.filter(
        database=backup.job.database_id, pk__gt=backup.job_id, writes=True, started_at__isnull=False
    )
    return not later.exists()
