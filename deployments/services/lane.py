"""The lane of the way back: it takes the slot of the paused run that it undoes, and nothing can come in between."""

from deployments.actors import Actor
from deployments.models import MigrationRun
from deployments.models.run import RunKind
from deployments.services.transition import locked_runs, move_job
from deployments.states import JobState


def locked_with_reverted(run: MigrationRun) -> MigrationRun:
    """Return a run, locked until the end of the transaction, together with the one that it undoes."""
    others = [run.reverts_id] if run.kind == RunKind.ROLLBACK and run.reverts_id else []
    return locked_runs([run.pk, *others])[run.pk]


def take_slots(back: MigrationRun, *, actor: Actor) -> set[int]:
    """End the paused run that this way back undoes, and return the ids of the databases whose slots it gives over.

    Within the transaction that queues the way back, with both runs locked. A run that is not paused gives over nothing.
    """
    paused = back.reverts if back.kind == RunKind.ROLLBACK else None
    if paused is None or paused.pause_requested_at is None:
        return set()
    waiting = list(paused.jobs.filter(state=JobState.QUEUED))
    if paused.jobs.filter(state=JobState.RUNNING).exists() or not waiting:
        return set()
    held = {job.database_id for job in waiting if job.holds_slot}
    move_job(waiting[0], JobState.CANCELLED, actor=actor, reason=f"gave way to its rollback, run {back}")
    return held
