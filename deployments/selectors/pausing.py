"""Where a run would rest if it was asked to pause now, and what is to be said of one that rests."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from deployments.models import Job, MigrationRun, Step
from deployments.selectors.rail import MIGRATE, STAGES
from deployments.states import JobState, RunState, StepState


@dataclass(frozen=True, slots=True)
class Rest:
    """Whether there is a place left at which a run can rest, and where: a sentence. Else why there is none."""

    is_possible: bool
    words: str


@dataclass(frozen=True, slots=True)
class Pause:
    """A run that rests, or will: who asked and why, since when it rests, and which job keeps its slot meanwhile."""

    by: str
    reason: str
    asked_at: datetime
    since: datetime | None  # None: an executor still works towards the next place
    rest: Rest  # where that is
    holder: Job | None

    @property
    def is_resting(self) -> bool:
        """Whether nothing of the run is under way."""
        return self.since is not None


def rests(run: MigrationRun) -> Rest:
    """Return where a started run would rest next."""
    jobs = list(run.jobs.order_by("position"))
    job = next((one for one in jobs if one.state == JobState.RUNNING), None)
    if job is None:
        return Rest(is_possible=True, words="Nothing of it is under way: no executor takes it up until it is resumed.")
    step = Step.objects.filter(job=job, state=StepState.RUNNING).first()
    if step is None:
        return Rest(is_possible=True, words="It rests before its next step.")
    names = STAGES.get(run.kind, ())
    is_last = step.position >= len(names) and not any(one.position > job.position for one in jobs)
    if is_last:
        return Rest(is_possible=False, words=f"Its last step, {step.name}, is running, and nothing comes after it.")
    return Rest(is_possible=True, words=_after(step, names))


def _after(step: Step, names: tuple[str, ...]) -> str:
    told = step.progress
    following = names[step.position] if step.position < len(names) else "the next database"
    if step.name != MIGRATE or "statement" not in told:
        return f"It rests after {step.name}, before {following}."
    if "batch" in told:
        return "It rests after this batch, which is committed first."
    if told.get("is_transactional", True):
        then = f"before {following}" if told["number"] == told["of"] else "before the next one"
        return (
            f"It rests after this file, {then}: a transaction is not left half done. "
            "A try that waits for a lock in vain is rolled back, and then it rests before the next try."
        )
    return "It rests after this statement."


@dataclass(frozen=True, slots=True)
class Resting:
    """What a list says of a run that was asked to pause: its sign, who asked and why, and since when it rests."""

    sign: str  # "paused", or "pausing" while something of it is under way
    by: str
    reason: str
    since: datetime  # or when it was asked, while it does not rest yet

    @property
    def words(self) -> str:
        """Who asked, and what the time beside it is."""
        return f"by {self.by}, since" if self.sign == "paused" else f"asked by {self.by}"


def resting_of(run: MigrationRun, jobs: Collection[Job]) -> Resting | None:
    """Return what lists say of a run that was asked to pause, None of every other: doubt and ends go before it."""
    if run.pause_requested_at is None or run.state not in {RunState.QUEUED, RunState.RUNNING}:
        return None
    since = _since(run.pause_requested_at, jobs)
    return Resting(
        sign="paused" if since else "pausing",
        by=str(run.pause_requested_by),
        reason=run.pause_reason,
        since=since or run.pause_requested_at,
    )


def _since(asked_at: datetime, jobs: Collection[Job]) -> datetime | None:
    """Return since when nothing of a run is under way that was asked to pause, None while something is."""
    if any(job.state == JobState.RUNNING for job in jobs):
        return None
    return max([*(job.paused_at for job in jobs if job.state == JobState.QUEUED and job.paused_at), asked_at])


def pause_of(run: MigrationRun) -> Pause | None:
    """Return what is to be said of a run that was asked to pause, None of one that was not, or is over."""
    if run.pause_requested_at is None or run.pause_requested_by is None or run.finished_at is not None:
        return None
    jobs = list(run.jobs.select_related("database").order_by("position"))
    return Pause(
        by=str(run.pause_requested_by),
        reason=run.pause_reason,
        asked_at=run.pause_requested_at,
        since=_since(run.pause_requested_at, jobs),
        rest=rests(run),
        holder=next((job for job in jobs if job.state == JobState.QUEUED and job.holds_slot), None),
    )
