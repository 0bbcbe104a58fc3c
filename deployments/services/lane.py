"""The lane of the way back: it takes the slot of the run that it undoes, and nothing can come in between."""

from django.db.models import QuerySet

from deployments.actors import Actor
from deployments.models import MigrationRun
from deployments.models.run import WAYS_BACK, RunKind
from deployments.services.transition import locked_runs, move_job
from deployments.states import RUN_ACTIVE, JobState


def locked_with_reverted(run: MigrationRun) -> tuple[MigrationRun, list[MigrationRun]]:
    """Return a run, and the rehearsals under way that give way to it, locked until the end of the transaction.

    Together with the run that it undoes. A rehearsal that begins after this is not among them: it is not locked.
    """
    if run.kind not in WAYS_BACK:
        return locked_runs([run.pk])[run.pk], []
    asked = [one.pk for one in rehearsals_under_way(run)]
    held = locked_runs([run.pk, *([run.reverts_id] if run.reverts_id else []), *asked])
    return held[run.pk], [held[pk] for pk in asked if held[pk].state in RUN_ACTIVE]


def rehearsals_under_way(back: MigrationRun) -> QuerySet[MigrationRun]:
    """Return the rehearsals of an environment that end when its way back begins: they read what it is to write."""
    return MigrationRun.objects.filter(
        kind=RunKind.REHEARSAL, environment=back.environment_id, state__in=sorted(RUN_ACTIVE)
    )


def take_slots(back: MigrationRun, *, actor: Actor) -> set[int]:
    """End the run that this way back undoes, if it rests; return the ids of the databases whose slots it gives over.

    Within the transaction that queues the way back, with both runs locked. A run rests while it is paused, and while it
    needs attention: then the way back is the decision. A doubt about a database that it leaves alone stays one.
    """
    undone = back.reverts if back.kind in WAYS_BACK else None
    if undone is None or undone.jobs.filter(state=JobState.RUNNING).exists():
        return set()
    reason = f"gave way to its {back.kind}, run {back}"
    theirs = {entry["id"] for entry in back.plan["databases"]}
    if doubtful := undone.jobs.filter(state=JobState.NEEDS_ATTENTION).first():
        if doubtful.database_id not in theirs:
            return set()
        move_job(doubtful, JobState.FAILED, actor=actor, reason=reason)
        return {doubtful.database_id}
    waiting = list(undone.jobs.filter(state=JobState.QUEUED))
    if undone.pause_requested_at is None or not waiting:
        return set()
    held = {job.database_id for job in waiting if job.holds_slot}
    move_job(waiting[0], JobState.CANCELLED, actor=actor, reason=reason)
    return held
