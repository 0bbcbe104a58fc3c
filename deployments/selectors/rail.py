"""The pipeline of a job as a rail: every stage in order, also those that no executor has begun."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from checks.rehearsal.proof import Outcome
from deployments.models import Job, Step
from deployments.models.run import RunKind
from deployments.selectors.restoring import restoring_of
from deployments.states import JobState, StepState

MIGRATE = "migrate"
SWAP = "swap"  # of a restore: the step that changes what the application works with
STAGES: dict[str, tuple[str, ...]] = {
    RunKind.DEPLOY: (
        "preflight",
        "backup",
        "checks before",
        MIGRATE,
        "checks after",
        "smoke",
        "health check",
        "watch",
    ),
    RunKind.REHEARSAL: ("rehearse",),
    RunKind.RESTORE: ("preflight", "stop writes", "restore", "price", SWAP, "differences", "health check"),
    RunKind.ROLLBACK: (
        "preflight",
        "count",
        "keep",
        "application",
        "checks before",
        MIGRATE,
        "checks after",
        "health check",
    ),
}
"""What the pipelines will walk, by kind: the names of their steps. A test compares it with the pipelines."""

NOT_REACHED = "not-reached"
PROVEN, NOT_PROVEN = "proven", "not-proven"
LOST_EXECUTOR = "lost-executor"
ENDED_EARLY = frozenset({JobState.FAILED, JobState.CANCELLED})
STOPPED_BY = {"paused-on-request": "paused", "cancelled-on-request": "cancelled", "cancelled-too-late": "cancelled"}
"""How a step is shown that a person stopped, by the code it ended with: about that there is no doubt."""
STANDS = frozenset({StepState.RUNNING, StepState.FAILED, StepState.INTERRUPTED, LOST_EXECUTOR, *STOPPED_BY.values()})
"""A job is at the first stage that is shown so. One after it was left behind: what comes before it is taken anew."""


HOW_FAR = (
    # what a step tells while it runs, by a name that is in its progress, in the order in which it counts
    ("away_seconds", "database away for {away_seconds}\u00a0s"),
    ("collisions", "waits for what is in the way, {waited_seconds} of {of_seconds}\u00a0s"),
    ("batch", "migration {number} of {of}: {batch[rows]:,} rows in batches"),
    ("number", "migration {number} of {of}"),
    ("doing", "{doing}"),
    ("check", "check {check} of {of}"),
    ("tables", "{tables_done} of {tables} tables"),
    ("probe", "probe {probe} of {of}"),
    ("seconds_left", "{seconds_left}\u00a0s left"),
)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a rail. `shown` is the state of its last attempt, or what follows from there being none.

    `is_current` says whether this is where the job is, or where it ended badly.
    """

    position: int
    name: str
    shown: str
    note: str  # a few words; "" if the duration says it all
    attempts: tuple[Step, ...]
    is_current: bool = False

    @property
    def step(self) -> Step | None:
        """The last attempt, None if there is none."""
        return self.attempts[-1] if self.attempts else None

    @property
    def took(self) -> timedelta | None:
        """How long the last attempt took; None while it runs, and if it never began."""
        step = self.step
        return step.finished_at - step.started_at if step and step.started_at and step.finished_at else None


def is_lost(job: Job, now: datetime) -> bool:
    """Return whether the executor of a running job has let its lease run out."""
    return job.state == JobState.RUNNING and job.lease_until is not None and job.lease_until < now


def rail_of(job: Job, steps: Sequence[Step], *, kind: str, lost: bool = False) -> tuple[Stage, ...]:
    """Return the stages of a job, given its steps in any order."""
    names = dict(enumerate(STAGES.get(kind, ()), start=1)) | {one.position: one.name for one in steps}
    attempts = {place: [one for one in steps if one.position == place] for place in names}
    stages = [
        _stage(job, place, names[place], sorted(attempts[place], key=lambda one: one.attempt), lost=lost)
        for place in sorted(names)
    ]
    current = next((one.position for one in stages if one.shown in STANDS), None)
    return tuple(replace(one, is_current=one.position == current) for one in stages)


def _stage(job: Job, place: int, name: str, attempts: list[Step], *, lost: bool) -> Stage:
    if not attempts:
        shown = NOT_REACHED if job.state in ENDED_EARLY else str(StepState.PENDING)
        return Stage(place, name, shown, "not reached" if shown == NOT_REACHED else "not started", ())
    last = attempts[-1]
    shown = LOST_EXECUTOR if lost and last.state == StepState.RUNNING else shown_as(last)
    told = [_note(last)]
    if last.attempt > 1:
        told.append(f"attempt {last.attempt}")
    return Stage(place, name, shown, " · ".join(filter(None, told)), tuple(attempts))


def shown_as(step: Step) -> str:
    """Return how an attempt is shown: as it is stored, but for what it proved, and for one that a person stopped."""
    if proof := step.evidence.get("proof"):
        return NOT_PROVEN if proof["outcome"] == Outcome.NOT_PROVEN else PROVEN
    if step.state == StepState.INTERRUPTED:
        return STOPPED_BY.get(step.error_code, str(step.state))
    return str(step.state)


def _note(step: Step) -> str:
    match step.state:
        case StepState.RUNNING:
            return how_far(step) or "running"
        case StepState.SKIPPED:
            return first_sentence(step.summary) or "skipped"
        case StepState.FAILED | StepState.INTERRUPTED:
            return step.error_code.replace("-", " ") or StepState(step.state).label.lower()
        case StepState.PENDING:
            return "not started"
    return ""


def how_far(step: Step) -> str:
    """Return the progress of a running step in a few words, "" if it has told none."""
    if restoring := restoring_of(step):
        return restoring.in_short
    return next((words.format(**step.progress) for name, words in HOW_FAR if name in step.progress), "")


def first_sentence(text: str) -> str:
    """Return a text up to the end of its first sentence, without the stop."""
    return text.partition(". ")[0].rstrip(".")
