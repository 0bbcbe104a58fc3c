"""One run on one target, from files on disk to its end: written, synced, planned and started through the services."""

import os
import random
import signal
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connections, transaction
from django.db.models.functions import Now

from deployments.actors import COMMAND_LINE
from deployments.models import Job, MigrationRun, Step
from deployments.pipelines.observing import observe_database
from deployments.services import decide
from deployments.services.plan import request_deploy
from deployments.services.sync import sync
from deployments.sources import folder
from deployments.states import RUN_FINAL, RunState
from tests.faults.forked import Forked
from tests.faults.places import LOOK_SECONDS, OURS, Place, asked, requester
from tests.faults.processes import executors, is_executor, is_stopped, send
from tests.faults.scripts import write
from tests.faults.world import World

PATIENCE_SECONDS = 60.0  # a run that has not ended by then is lost
COLD = 0.1  # of the runs have executors that start as in production; those of the others are forked


@dataclass
class Case:
    """One run of new migrations on one target, and what a fault needs to know about it."""

    world: World
    place: Place
    random: random.Random
    run: MigrationRun = field(init=False)
    job: Job = field(init=False)
    armed: Forked | None = None
    options: tuple[str, ...] = ()  # of an executor with a trap in it
    wrongs: list[str] = field(default_factory=list)  # what the fault itself saw that may not be
    afterwards: list[Callable[[], None]] = field(default_factory=list)  # what a fault leaves to be undone

    def write(self, *, slow: bool, big: bool) -> None:
        """Write new migrations for the target."""
        place = self.place
        place.written += write(place.source, after=place.written, random=self.random, slow=slow, big=big)

    def plan(self) -> None:
        """Sync, observe and ask for a run of what is pending."""
        environment = self.place.database.environment
        sync(environment.application, found=folder.read(environment.application), commit="", actor=requester())
        observe_database(self.place.database, actor=COMMAND_LINE)
        self.run = request_deploy(environment, reason="A fault", request_key=uuid.uuid4(), actor=requester())

    def start(self) -> None:
        """Start the run; for an armed executor it counts as sent already, so that no other one starts in vain."""
        is_cold = self.random.random() < COLD
        with transaction.atomic():
            self.job = decide.start(self.run, actor=requester()).jobs.get()
            if is_cold:
                self.world.let_start_cold(self.job.pk)
            if self.options:
                Job.objects.filter(pk=self.job.pk).update(sent_at=Now())
        if self.options:
            self.armed = Forked(self.world.forks, [str(self.job.pk), *self.options])

    def stored(self) -> list[str]:
        """Return what the artifacts store holds of this run, also unfinished things, as places."""
        root = Path(self.world.environment["ARTIFACTS"])
        return sorted(str(path.relative_to(root)) for path in root.glob(f"*/run-{self.run.number}/job-*/*"))

    @property
    def is_over(self) -> bool:
        """Whether the run has ended, or waits for a person."""
        state = asked(lambda: MigrationRun.objects.values_list("state", flat=True).get(pk=self.run.pk))
        return state in RUN_FINAL or state == RunState.NEEDS_ATTENTION

    def until(self, true: Callable[[], bool], *, seconds: float) -> bool:
        """Wait until something is true; False if the run is over or the time is up before."""
        deadline = time.monotonic() + seconds
        while not true():
            if self.is_over or time.monotonic() > deadline:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def holder(self, *, other_than: int = 0) -> int | None:
        """Wait for the executor that holds the job, and return its process id; None if the run is over first."""
        found = 0

        def is_there() -> bool:
            nonlocal found
            job = asked(lambda: Job.objects.get(pk=self.job.pk))
            host, _, pid = job.executor.partition("/")
            found = int(pid or 0)
            is_held = job.state == "running" and host == socket.gethostname() and found != other_than
            return is_held and is_executor(found, self.world.mark, job.pk)

        return found if self.until(is_there, seconds=20) else None

    def successor_came(self, fence: int) -> bool:
        """Whether another executor has claimed the job since this fence was given."""
        return asked(lambda: Job.objects.filter(pk=self.job.pk, fence__gt=fence).exists())

    def successor_works(self, fence: int) -> bool:
        """Whether another executor has sent a statement since this fence was given."""
        return asked(Step.objects.filter(job=self.job, fence__gt=fence).exclude(progress={}).exists)

    def pause(self, most_seconds: float) -> float:
        """Wait for a random time and return how long, in seconds."""
        seconds = self.random.uniform(0, most_seconds)
        time.sleep(seconds)
        return seconds

    def where(self) -> str:
        """Return how far the run says it is."""
        step = asked(lambda: Step.objects.filter(job=self.job).order_by("-position", "-attempt").first())
        if step is None:
            return "before its first step"
        told = step.progress
        spot = f" {told['migration']}, statement {told['statement']}" if "statement" in told else ""
        return f"{step.name}{spot}" if step.state == "running" else f"after {step.name}"

    def sessions(self) -> list[int]:
        """Return the server processes of this job's sessions in the target."""
        with self.place.connect() as opened:
            rows = opened.execute(f"SELECT pid FROM pg_stat_activity WHERE {OURS.format(job=self.job.pk)}".encode())
            return [pid for (pid,) in rows]

    def is_at(self, what: str) -> bool:
        """Whether a session of this job does what a condition on pg_stat_activity says."""
        query = f"SELECT FROM pg_stat_activity WHERE {OURS.format(job=self.job.pk)} AND {what}"
        with self.place.connect() as opened:
            return opened.execute(query.encode()).fetchone() is not None

    def job_state(self) -> str:
        """Return the state of the job."""
        return asked(lambda: Job.objects.values_list("state", flat=True).get(pk=self.job.pk))

    def wait_for_end(self) -> float | None:
        """Wait until the run is over and return the seconds it took; None if it does not end."""
        began = time.monotonic()
        while not self.is_over:
            if time.monotonic() - began > PATIENCE_SECONDS:
                return None
            time.sleep(LOOK_SECONDS)
        return time.monotonic() - began

    def wait_for_executors(self) -> bool:
        """Wait until no executor of the job lives any more; False if one goes on for 30 seconds."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.armed is not None and is_stopped(self.armed.pid):
                send(self.armed.pid, signal.SIGCONT)
            if not executors(self.world.mark, self.job.pk):
                return True
            time.sleep(2 * LOOK_SECONDS)
        return False

    def wrong(self, text: str) -> str:
        """Keep something that may not be, for the judge, and return it."""
        self.wrongs.append(text)
        return text

    def end(self) -> None:
        """Undo what the fault left, and let go of the armed executor."""
        for undo in self.afterwards:
            undo()
        if self.armed is not None:
            self.armed.end()


def forget_connections() -> None:
    """Begin with fresh connections: those of before may have been cut by a fault."""
    connections.close_all()


assert os.environ.get("DATABASE_URL"), "the campaign sets the environment before this module is read"
