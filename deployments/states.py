"""The states of a run, a job and a step, and every legal move, as data. No model is imported."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import TextChoices


class RunState(TextChoices):
    """Where one attempt to bring an environment to a plan stands."""

    AWAITING = "awaiting", "Awaiting"
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    NEEDS_ATTENTION = "needs_attention", "Needs attention"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    REJECTED = "rejected", "Rejected"
    SUPERSEDED = "superseded", "Superseded"


class JobState(TextChoices):
    """Where the work of a run on one database stands."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    NEEDS_ATTENTION = "needs_attention", "Needs attention"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class StepState(TextChoices):
    """Where one attempt at one stage of a pipeline stands."""

    PENDING = "pending", "Pending"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    INTERRUPTED = "interrupted", "Interrupted"
    SKIPPED = "skipped", "Skipped"


Moves = Mapping[str, frozenset[str]]

RUN_MOVES: Moves = {
    RunState.AWAITING: frozenset({RunState.QUEUED, RunState.SUPERSEDED, RunState.REJECTED, RunState.CANCELLED}),
    # settle_run follows the jobs from here on
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.CANCELLED, RunState.SUPERSEDED}),
    RunState.RUNNING: frozenset(
        {
            RunState.QUEUED,
            RunState.NEEDS_ATTENTION,
            RunState.SUCCEEDED,
            RunState.FAILED,
            RunState.CANCELLED,
            RunState.SUPERSEDED,
        }
    ),
    RunState.NEEDS_ATTENTION: frozenset({RunState.QUEUED, RunState.RUNNING, RunState.FAILED}),
}
JOB_MOVES: Moves = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
    JobState.RUNNING: frozenset(
        {
            JobState.QUEUED,
            JobState.NEEDS_ATTENTION,
            JobState.SUCCEEDED,
            JobState.FAILED,
            JobState.CANCELLED,
        }
    ),
    JobState.NEEDS_ATTENTION: frozenset({JobState.QUEUED, JobState.FAILED}),
}
STEP_MOVES: Moves = {
    StepState.PENDING: frozenset({StepState.RUNNING}),
    StepState.RUNNING: frozenset({StepState.SUCCEEDED, StepState.FAILED, StepState.INTERRUPTED, StepState.SKIPPED}),
}


def active(moves: Moves) -> frozenset[str]:
    """Return the states that can still be left."""
    return frozenset(moves)


def final(moves: Moves) -> frozenset[str]:
    """Return the states nothing leaves."""
    return frozenset().union(*moves.values()) - active(moves)


RUN_ACTIVE, RUN_FINAL = active(RUN_MOVES), final(RUN_MOVES)
JOB_ACTIVE, JOB_FINAL = active(JOB_MOVES), final(JOB_MOVES)
STEP_ACTIVE, STEP_FINAL = active(STEP_MOVES), final(STEP_MOVES)

OCCUPYING = frozenset({JobState.RUNNING, JobState.NEEDS_ATTENTION})
"""A writing job in one of these states holds the slot of its database."""

FIRST_RUN_STATES = frozenset({RunState.AWAITING})
FIRST_JOB_STATES = frozenset({JobState.QUEUED})
FIRST_STEP_STATES = frozenset({StepState.PENDING})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job says about its run: where it stands, what it has done, and whether it found the plan moved."""

    state: str
    applied: int = 0
    plan_moved: bool = False


def state_of_run(jobs: Iterable[Outcome]) -> RunState:
    """Return the state a started run has, given its jobs in order.

    A job that needs attention outweighs everything; a run with one job done and another queued is running. A run whose
    plan moved is superseded only if nothing of it was executed: else it is cancelled, and its jobs say how far it came.
    """
    outcomes = list(jobs)
    states = [job.state for job in outcomes]
    if JobState.NEEDS_ATTENTION in states:
        return RunState.NEEDS_ATTENTION
    if JobState.RUNNING in states:
        return RunState.RUNNING
    if JobState.QUEUED in states:
        begun = any(state != JobState.QUEUED for state in states)
        return RunState.RUNNING if begun else RunState.QUEUED
    if all(state == JobState.SUCCEEDED for state in states):
        return RunState.SUCCEEDED
    if JobState.FAILED in states:
        return RunState.FAILED
    executed = any(job.applied > 0 or job.state == JobState.SUCCEEDED for job in outcomes)
    moved = any(job.plan_moved for job in outcomes)
    return RunState.SUPERSEDED if moved and not executed else RunState.CANCELLED
