"""What a Celery worker does: one line each. A message is a hint; the database decides."""

from celery import shared_task

from deployments.actors import DISPATCHER
from deployments.models import Database
from deployments.pipelines.launch import launch, launch_answer, launch_clearing, launch_dropping, launch_tending
from deployments.pipelines.observing import observe_place


@shared_task(name="deployments.drive_job", ignore_result=True)
def drive_job(job_id: int) -> None:
    """Launch this job's executor and wait for it. Safe to call at any time, any number of times."""
    launch(job_id).wait()


@shared_task(name="deployments.observe_database", ignore_result=True)
def observe_database(database_id: int) -> None:
    """Read a target, and what its application says of itself, and keep it."""
    observe_place(Database.objects.get(pk=database_id), actor=DISPATCHER)


@shared_task(name="deployments.drop_kept", ignore_result=True)
def drop_kept(kept_id: int) -> None:
    """Drop a database that was kept after a restore, if its time is over. Safe to call any number of times."""
    launch_dropping(kept_id).wait()


@shared_task(name="deployments.drop_copies", ignore_result=True)
def drop_copies(database_id: int) -> None:
    """Drop what dead executors left on the rehearsal server of a database. Safe to call any number of times."""
    launch_clearing(database_id).wait()


@shared_task(name="deployments.answer_request", ignore_result=True)
def answer_request(request_id: int) -> None:
    """Have a target looked at, or re-adopted, because somebody wants it. Safe to call any number of times."""
    launch_answer(request_id).wait()


@shared_task(name="deployments.tend_backups", ignore_result=True)
def tend_backups(_turn: int) -> None:
    """Read the backups in the store, which a worker has, and remove those that no rule keeps."""
    launch_tending().wait()
