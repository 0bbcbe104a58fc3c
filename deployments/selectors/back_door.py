"""Whether somebody else than Locktender changed the history of a database, and what our own runs explain of it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.timezone import now

from checks.back_door import Break, Deed, HistoryChange, unexplained
from deployments.models import AuditEvent, Database, HistoryAlarm, Job, MigrationRun, Observation
from deployments.models.run import RunKind
from deployments.selectors.readings import TOO_OLD
from deployments.states import JobState

READOPTED = "database.readopted"
MOST_ENDED = 20
MOST_JOBS = 200  # newest first, to find which run had applied a migration


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm as pages show it. `still` is whether the newest reading still shows what raised it."""

    alarm: HistoryAlarm
    still: bool
    by: MigrationRun | None  # the run of ours that had applied it, if one had

    @property
    def said(self) -> str:
        """What happened, as a sentence without the name of the migration."""
        match Break(self.alarm.kind):
            case Break.FOREIGN:
                return "was applied, and no run of Locktender did it"
            case Break.GONE:
                return "was applied, and is not any more; no run of Locktender took it back"
            case Break.CHANGED:
                return "is applied with other bytes than before; no run of Locktender did it"

    @property
    def is_ended(self) -> bool:
        """Whether somebody has seen to it."""
        return hasattr(self.alarm, "answer")


@dataclass(frozen=True, slots=True)
class BackDoor:
    """The alarms of a database, newest first, and the reading that says whether there is another one."""

    open: tuple[Alarm, ...]
    ended: tuple[Alarm, ...]
    seen: Observation | None
    is_aged: bool  # that reading says nothing of now
    since: datetime | None  # the first reading; None where nothing came after it that could be compared with it

    @property
    def first_at(self) -> datetime | None:
        """When the first of the open alarms was raised."""
        return min((one.alarm.raised_at for one in self.open), default=None)

    @property
    def newest(self) -> int:
        """The number of the newest open alarm, 0 without any."""
        return max((one.alarm.pk for one in self.open), default=0)


def changes_of(before: Observation, after: Observation) -> tuple[HistoryChange, ...]:
    """Return what changed in the history between two readings of a database that no run of ours explains.

    Nothing where it was re-adopted in between: then a person said that what is there is right. What another life of
    this control plane did there is told as that.
    """
    begun_at = before.begun_at or before.observed_at
    was = {one["name"]: one["checksum"] for one in before.history}
    found = {one["name"]: one["checksum"] for one in after.history}
    if was == found:
        return ()
    taken_on = AuditEvent.objects.filter(
        action=READOPTED, object_type="database", object_id=str(after.database_id), at__gte=begun_at
    )
    if taken_on.exists():
        return ()
    deeds = [*_of_other_lives(after), *_deeds(after.database_id, begun_at)]
    is_overlapped = after.begun_at is not None and after.begun_at <= before.observed_at
    return unexplained(was, found, deeds, is_overlapped=is_overlapped)


def back_door_of(database: Database) -> BackDoor:
    """Return how the history of a database stands: alarms, and from when that is known."""
    newest = database.observations.defer("sizes", "model", "schema").order_by("-id").first()
    first = database.observations.order_by("id").values_list("pk", "observed_at").first()
    found = {one["name"]: one["checksum"] for one in newest.history} if newest else {}
    kept = HistoryAlarm.objects.filter(database=database).select_related("answer__answered_by", "seen_in", "as_before")
    shown = [Alarm(one, found.get(one.migration) == one.after, _applied_by(one)) for one in kept.order_by("-id")]
    return BackDoor(
        open=tuple(one for one in shown if not one.is_ended),
        ended=tuple(one for one in shown if one.is_ended)[:MOST_ENDED],
        seen=newest,
        is_aged=newest is not None and newest.observed_at < now() - TOO_OLD,
        since=first[1] if first and newest and first[0] != newest.pk else None,
    )


def open_alarms(databases: Iterable[Database]) -> dict[int, list[HistoryAlarm]]:
    """Return by database the alarms that nobody has seen to, oldest first, in one query."""
    found: dict[int, list[HistoryAlarm]] = defaultdict(list)
    for alarm in HistoryAlarm.objects.filter(database__in=list(databases), answer=None).order_by("id"):
        found[alarm.database_id].append(alarm)
    return found


def said_of(alarms: Sequence[HistoryAlarm]) -> str:
    """Return in a few words what alarms are about: "2 applied, 1 gone"."""
    counts = {
        "applied by somebody else": Break.FOREIGN,
        "no longer applied": Break.GONE,
        "applied with other bytes": Break.CHANGED,
    }
    told = [(sum(one.kind == kind for one in alarms), words) for words, kind in counts.items()]
    return ", ".join(f"{count} {words}" for count, words in told if count)


def _deeds(database_id: int, since: datetime) -> Iterable[Deed]:
    """Yield what the jobs that were at work since a moment did, or may have done, oldest first."""
    at_work = Q(finished_at=None) | Q(finished_at__gte=since)
    jobs = Job.objects.filter(at_work, database=database_id, writes=True, started_at__isnull=False)
    for job in jobs.select_related("run", "kept").order_by("id"):
        plan = job.run.plan["migrations"]
        if job.run.kind == RunKind.RESTORE:
            if job.finished_at is None or hasattr(job, "kept"):  # else it exchanged nothing
                yield Deed(replaced=True)
        elif job.finished_at is None:
            yield _deed(job, plan, is_certain=False)
        else:
            yield _deed(job, plan[: job.applied])
            if job.applied < len(plan) and _was_in_doubt(job):
                yield _deed(job, plan[job.applied : job.applied + 1], is_certain=False)


def _deed(job: Job, entries: Sequence[dict[str, str]], *, is_certain: bool = True) -> Deed:
    if job.run.kind == RunKind.ROLLBACK:
        return Deed(taken_back=frozenset(one["name"] for one in entries), is_certain=is_certain)
    return Deed(applied={one["name"]: one["checksum"] for one in entries}, is_certain=is_certain)


def _was_in_doubt(job: Job) -> bool:
    """Return whether a person decided about this job without knowing what it had done last."""
    moved = AuditEvent.objects.filter(object_type="job", object_id=str(job.pk), action="job.moved")
    return moved.filter(after=JobState.NEEDS_ATTENTION).exists()


def _of_other_lives(seen: Observation) -> Iterable[Deed]:
    """Yield what a job did there that this control database has forgotten: runs are refused for it, and say so."""
    told = seen.ledger or {}
    unknown = set(told.get("unknown", ()))
    names = {row["migration"] for row in told.get("rows", ()) if row["job"] in unknown}
    found = {one["name"]: one["checksum"] for one in seen.history}
    yield Deed(
        applied={name: found[name] for name in names & found.keys()},
        taken_back=frozenset(names - found.keys()),
        is_certain=False,
    )


def _applied_by(alarm: HistoryAlarm) -> MigrationRun | None:
    """Return the run of ours that had applied what is gone or changed; None if none had."""
    if alarm.before is None:
        return None
    jobs = Job.objects.filter(database=alarm.database_id, run__kind=RunKind.DEPLOY, applied__gt=0)
    for job in jobs.filter(created_at__lt=alarm.raised_at).select_related("run").order_by("-id")[:MOST_JOBS]:
        if any(entry["name"] == alarm.migration for entry in job.run.plan["migrations"][: job.applied]):
            return job.run
    return None
