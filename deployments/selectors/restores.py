"""What can be restored because of a run: its backup, or the database that its restore replaced; at what price."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models.functions import Now

from checks.names import readable
from deployments.models import Backup, KeptDatabase, MigrationRun, TargetRequest
from deployments.models.backup import BackupCheck, BackupScope
from deployments.models.run import RunKind
from deployments.models.target_request import RequestKind
from deployments.selectors.backups import proven_by
from deployments.states import RUN_ACTIVE

DROP_KEPT = "drop-kept"
"""The periodic task that drops databases which were kept long enough."""
MOST_TOLD = 12  # tables of a price; the evidence of the run has them all


@dataclass(frozen=True, slots=True)
class Source:
    """What a restore would put in the place of the application's database: exactly one of both."""

    run: MigrationRun
    backup: Backup | None
    kept: KeptDatabase | None

    @property
    def job(self) -> Any:
        """The job that made it."""
        return (self.backup or self.kept).job  # type: ignore[union-attr] # one of them is there

    @property
    def at(self) -> datetime:
        """From when its content is."""
        return self.backup.snapshot_at if self.backup else self.kept.made_at  # type: ignore[union-attr]

    @property
    def proven(self) -> str:
        """How far a backup is proven, as the outcome that counts; "" where nothing came of it yet."""
        if self.backup is None:
            return ""
        found = proven_by(list(BackupCheck.objects.filter(backup=self.backup).order_by("-pk")))
        return str(found) if found else ""

    @property
    def seconds(self) -> timedelta | None:
        """How long restoring it took when it was last tried; None if it never was."""
        if self.backup is None:
            return None
        tried = self.backup.checks.filter(found__has_key="seconds").order_by("-pk").first()
        return timedelta(seconds=sum(tried.found["seconds"].values())) if tried else None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a restore would cost, as a target last said. `reason` is why it said nothing."""

    price: dict[str, Any]
    at: datetime | None
    number: int  # of the wish, which is what a plan names
    is_asked: bool  # it is being measured again
    reason: str = ""

    @property
    def tables(self) -> list[dict[str, Any]]:
        """The tables in which something was written, or may have been."""
        return [one | {"table": readable(one["table"])} for one in self.price.get("tables", ())[:MOST_TOLD]]

    @property
    def more(self) -> int:
        """How many tables are not told."""
        return max(0, len(self.price.get("tables", ())) - MOST_TOLD)

    @property
    def is_nothing(self) -> bool:
        """Whether it was certain that nothing is lost."""
        return bool(self.price) and not self.price["tables"]

    def rows(self, sure: str) -> int:
        """Return how many rows that are there now are told with this certainty to be lost."""
        return sum(one["written"] or 0 for one in self.price.get("tables", ()) if one["sure"] == sure)

    @property
    def exact(self) -> int:
        """How many rows are lost for certain."""
        return self.rows("exact")

    @property
    def at_most(self) -> int:
        """How many rows may be lost besides."""
        return self.rows("at-most")

    @property
    def unknown(self) -> list[str]:
        """The tables of which nothing is known."""
        return [readable(one["table"]) for one in self.price.get("tables", ()) if one["sure"] == "unknown"]


def source_of(run: MigrationRun) -> Source | None:
    """Return what can be restored because of a run, None if it left nothing to restore, or no longer."""
    kept = KeptDatabase.objects.filter(job__run=run, ended_at=None).select_related("job__database").first()
    if kept is not None:
        return Source(run, None, kept)
    found = Backup.objects.filter(job__run=run, scope=BackupScope.DATABASE, expiry__isnull=True)
    newest = found.select_related("job__database").order_by("-pk").first()
    return Source(run, newest, None) if newest else None


def closed(run: MigrationRun, source: Source | None) -> str:
    """Return why nothing can be restored because of this run, whatever a person's role; "" if it can be."""
    if source is None:
        if run.kind == RunKind.RESTORE:
            return f"The database that run {run} replaced is not kept any more."
        driven = Backup.objects.filter(job__run=run, scope=BackupScope.SERVER, expiry__isnull=True).last()
        if driven is not None:
            return (
                f"The driver {driven.driver} made the backup of run {run}: restore point {driven.restore_point}. "
                "It is of the whole server, and restored with that tool by hand: see docs/backup-drivers.md."
            )
        return f"Run {run} kept no backup of the whole database, or it was removed."
    if run.jobs.count() > 1:
        return f"Run {run} is of several databases. Restore each by hand, as docs/operations.md says."
    open_one = run.reverted_by.filter(state__in=sorted(RUN_ACTIVE)).order_by("-number").first()
    if open_one is not None:
        return f"Run {open_one} is a way back from it already, and is not over."
    return ""


def measured(run: MigrationRun) -> Measured:
    """Return what was last found out about the price of restoring what a run left."""
    wishes = TargetRequest.objects.filter(job__run=run, kind=RequestKind.PRICE).order_by("-pk")
    newest = wishes.first()
    answered = wishes.exclude(answered_at=None).first()
    if answered is None:
        return Measured({}, None, 0, newest is not None)
    is_asked = newest is not None and newest.answered_at is None
    return Measured(answered.found, answered.answered_at, answered.pk, is_asked, answered.error)


def due_to_drop() -> list[KeptDatabase]:
    """Return the kept databases whose time is over, and that no open run is to take back."""
    over = KeptDatabase.objects.filter(ended_at=None, keep_until__lte=Now()).select_related("job__run").order_by("pk")
    return [one for one in over if not one.job.run.reverted_by.filter(state__in=sorted(RUN_ACTIVE)).exists()]
