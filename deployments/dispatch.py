"""LISTEN and sweep: the only clock, and the only sender of Celery messages. Any number may run."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import uniform

import structlog
from celery import Celery
from celery.exceptions import CeleryError
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.module_loading import import_string
from kombu.exceptions import KombuError

from deployments.actors import DISPATCHER
from deployments.models import Database, Job, PeriodicTask, WorkerBeat
from deployments.pipelines.launch import launch, launch_answer, launch_clearing
from deployments.postgres.connect import LINK_ERRORS
from deployments.selectors.restores import DROP_KEPT, due_to_drop
from deployments.services.announce import JOB_CHANNEL
from deployments.services.backups import TEND_BACKUPS
from deployments.services.observe import OBSERVE_DATABASES
from deployments.services.rehearse import REPEAT_REHEARSALS, repeat_rehearsals
from deployments.services.signs_of_life import GRACE, INTERVAL_SECONDS, name_here, tell

log = structlog.get_logger()

DROP_COPIES = "drop-copies"
BROKER_ERRORS = (CeleryError, KombuError, OSError)
BROKER_PAUSE_SECONDS = 15.0  # after a failed message the broker is left alone for so long
JITTER = 0.2

# What may be due, and whether it was sent before without anybody coming for it.
DUE = """
WITH picked AS (
    SELECT due.id, due.sent_at, due.lease_until
    FROM deployments_job due JOIN deployments_migrationrun run ON run.id = due.run_id
    WHERE (due.sent_at IS NULL OR due.sent_at < clock_timestamp() - %(resend)s::interval
           OR due.lease_until > due.sent_at)
      AND (
        (due.state = 'queued' AND run.state IN ('queued', 'running')
         AND (run.pause_requested_at IS NULL OR run.cancel_requested_at IS NOT NULL)
         AND NOT EXISTS (SELECT FROM deployments_drain WHERE ended_at IS NULL)
         AND NOT EXISTS (SELECT FROM deployments_job earlier WHERE earlier.run_id = due.run_id
                         AND earlier.position < due.position AND earlier.state <> 'succeeded')
         AND NOT EXISTS (SELECT FROM deployments_job writer WHERE due.writes
                         AND writer.database_id = due.database_id
                         AND writer.id <> due.id AND writer.writes
                         AND (writer.state IN ('running', 'needs_attention')
                              OR writer.state = 'queued' AND writer.holds_slot))
         -- A way back goes first, then who waited longer, but for the one that holds the slot already. A job that is
         -- paused, or itself waits for another database, holds nobody up; neither does one that does not write.
         AND NOT EXISTS (SELECT FROM deployments_job older
                         JOIN deployments_migrationrun its ON its.id = older.run_id
                         WHERE older.database_id = due.database_id AND NOT due.holds_slot
                         AND older.writes AND due.writes
                         AND (its.kind NOT IN ('rollback', 'restore'), older.id)
                             < (run.kind NOT IN ('rollback', 'restore'), due.id)
                         AND older.state = 'queued' AND its.pause_requested_at IS NULL
                         AND NOT EXISTS (SELECT FROM deployments_job before WHERE before.run_id = older.run_id
                                         AND before.position < older.position AND before.state <> 'succeeded')))
        OR (due.state = 'running' AND due.lease_until < clock_timestamp() AND %(takes_over)s)
      )
    ORDER BY due.id FOR UPDATE OF due SKIP LOCKED
)
UPDATE deployments_job job SET sent_at = clock_timestamp() FROM picked WHERE job.id = picked.id
RETURNING job.id, picked.sent_at IS NOT NULL AND (picked.lease_until IS NULL OR picked.sent_at > picked.lease_until)
"""

# What people want of targets, and nobody answered yet.
WISHES = """
UPDATE deployments_targetrequest SET sent_at = clock_timestamp()
WHERE id IN (SELECT id FROM deployments_targetrequest
             WHERE answered_at IS NULL AND (sent_at IS NULL OR sent_at < clock_timestamp() - %(resend)s::interval)
             ORDER BY id FOR UPDATE SKIP LOCKED)
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Periodic:
    """A task that comes again. `next_due_at` is moved by compare-and-set: whoever moves it does it."""

    name: str
    every: timedelta
    do: Callable[["Dispatcher"], None]


class Dispatcher:
    """Finds jobs that may be due and has them driven: by a worker if there is one, else by itself."""

    def __init__(self) -> None:
        """Prepare; nothing is looked at yet."""
        timings = settings.CONFIGURATION
        self._celery: Celery = import_string(settings.CELERY_APPLICATION)
        self._sweep_seconds = timings.sweep.total_seconds()
        self._resend = timings.resend
        self._slots = timings.executor_slots
        self._own: list[subprocess.Popen[bytes]] = []
        self._broker_rests_until = 0.0
        self._tells_again_at = 0.0
        self._takes_over_from = 0.0
        self._lease_seconds = timings.lease.total_seconds()
        self._stopped = False

    def stop(self) -> None:
        """Leave `run` after the sweep under way. Executors go on."""
        self._stopped = True

    def run(self) -> None:
        """Listen and sweep until stopped, through outages of the control database."""
        while not self._stopped:
            try:
                with connection.cursor() as cursor:
                    cursor.execute(f"LISTEN {JOB_CHANNEL}")
                while not self._stopped:
                    self.sweep()
                    self._tell_that_it_sweeps()
                    self._sleep()
            except (DatabaseError, InterfaceError, *LINK_ERRORS) as away:  # while listening, the driver's own
                log.warning("control database away", reason=type(away).__name__)
                # Executors could not renew their leases either, and are to be given the time to. A standby that takes
                # the place of the server has been up for long: `claim_job` cannot tell it from one that was there.
                self._takes_over_from = time.monotonic() + self._lease_seconds
                connection.close()
                time.sleep(min(1.0, self._sweep_seconds))

    def sweep(self) -> None:
        """Have everything driven that is due now, and do the periodic tasks whose time has come."""
        self._own = [process for process in self._own if process.poll() is None]
        with connection.cursor() as cursor:
            takes_over = time.monotonic() >= self._takes_over_from
            cursor.execute(DUE, {"resend": f"{self._resend.total_seconds()} seconds", "takes_over": takes_over})
            due = cursor.fetchall()
        for job_id, nobody_came in due:
            self._drive(job_id, nobody_came=nobody_came)
        self._have_answered()
        for periodic in PERIODIC:
            if self._is_mine(periodic):
                periodic.do(self)

    def send(self, task: str, number: int) -> bool:
        """Send a task with one id to its queue; False if the broker does not take it now."""
        if time.monotonic() < self._broker_rests_until:
            return False
        try:
            self._celery.send_task(task, args=[number], expires=self._resend.total_seconds(), retry=False)
        except BROKER_ERRORS as refused:
            log.warning("broker away", reason=type(refused).__name__)
            self._broker_rests_until = time.monotonic() + BROKER_PAUSE_SECONDS
            return False
        return True

    def _drive(self, job_id: int, *, nobody_came: bool) -> None:
        """Send a job to its queue; drive it here if that fails, or did not help: hung executors fill a worker."""
        if not nobody_came and self._has_worker() and self.send("deployments.drive_job", job_id):
            return
        if len(self._own) < self._slots:
            log.info("driving without a worker", job=job_id)
            self._own.append(launch(job_id))
        else:
            # For the next sweep, or another dispatcher.
            Job.objects.filter(pk=job_id, finished_at=None).update(sent_at=None)

    def clear(self, database_id: int) -> None:
        """Have the rehearsal server of a database cleared of what dead executors left there."""
        if not (self._has_worker() and self.send("deployments.drop_copies", database_id)):
            self._own.append(launch_clearing(database_id))

    def _have_answered(self) -> None:
        """Have every target looked at, or re-adopted, that somebody wants so."""
        with connection.cursor() as cursor:
            cursor.execute(WISHES, {"resend": f"{self._resend.total_seconds()} seconds"})
            wishes = [number for (number,) in cursor.fetchall()]
        for number in wishes:
            if not (self._has_worker() and self.send("deployments.answer_request", number)):
                self._own.append(launch_answer(number))  # short, so it takes no slot of an executor's into account

    def _has_worker(self) -> bool:
        queue = settings.CELERY_TASK_DEFAULT_QUEUE
        return WorkerBeat.objects.filter(queue=queue, beat_at__gt=Now() - GRACE).exists()

    def _tell_that_it_sweeps(self) -> None:
        if time.monotonic() >= self._tells_again_at:
            self._tells_again_at = time.monotonic() + INTERVAL_SECONDS
            tell(name_here("dispatcher"))

    def _is_mine(self, periodic: Periodic) -> bool:
        """Move the due time of a task, if it has come and nobody else was quicker."""
        _, created = PeriodicTask.objects.get_or_create(
            name=periodic.name, defaults={"next_due_at": Now() + periodic.every}
        )
        due = PeriodicTask.objects.filter(name=periodic.name, next_due_at__lte=Now())
        return not created and due.update(next_due_at=Now() + periodic.every) == 1

    def _sleep(self) -> None:
        """Sleep until the next sweep, or until somebody says that a job may be due."""
        jitter = uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 # so that dispatchers do not march in step
        until = time.monotonic() + self._sweep_seconds * jitter
        while not self._stopped and (left := until - time.monotonic()) > 0:
            for _ in connection.connection.notifies(timeout=min(left, 0.5), stop_after=1):
                return


def observe_all(dispatcher: Dispatcher) -> None:
    """Have every target read that no job is writing to, so that a plan finds a recent observation."""
    busy = Q(jobs__writes=True, jobs__state__in=["running", "needs_attention"])
    for number in Database.objects.exclude(busy).values_list("pk", flat=True):
        dispatcher.send("deployments.observe_database", number)


def tend_backups(dispatcher: Dispatcher) -> None:
    """Have the backups in the store read, and removed where no rule keeps them: by a worker, which has the store."""
    dispatcher.send("deployments.tend_backups", 0)


def drop_kept(dispatcher: Dispatcher) -> None:
    """Have the databases dropped that were kept after a restore, and whose time is over."""
    for kept in due_to_drop():
        dispatcher.send("deployments.drop_kept", kept.pk)


def drop_copies(dispatcher: Dispatcher) -> None:
    """Have every rehearsal server cleared of what dead executors left there."""
    named = Database.objects.exclude(environment__rehearsal_connection="")
    for number in named.order_by("environment__rehearsal_connection", "pk").distinct(
        "environment__rehearsal_connection"
    ):
        dispatcher.clear(number.pk)


def repeat(_dispatcher: Dispatcher) -> None:
    """Have rehearsed again what would be proven too long ago when its window opens."""
    for run in repeat_rehearsals(actor=DISPATCHER):
        log.info("rehearsed again before its window", run=run.number)


PERIODIC = (
    Periodic(OBSERVE_DATABASES, every=timedelta(minutes=5), do=observe_all),
    Periodic(REPEAT_REHEARSALS, every=timedelta(minutes=5), do=repeat),
    Periodic(DROP_KEPT, every=timedelta(hours=1), do=drop_kept),
    Periodic(DROP_COPIES, every=timedelta(hours=1), do=drop_copies),
    Periodic(TEND_BACKUPS, every=timedelta(days=1), do=tend_backups),
)
