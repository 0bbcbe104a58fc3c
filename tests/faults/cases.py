"""One run on one target, from files on disk to its end: written, synced, planned and started through the services."""

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.models.functions import Now

from deployments.actors import COMMAND_LINE, Actor, person
from deployments.models import ControlPlane, Database, Job, MigrationRun, Policy, Step, User
from deployments.models.grant import Role
from deployments.pipelines.observing import observe_database, target_of
from deployments.postgres.ledger import install, installation_sql
from deployments.services import decide, setup
from deployments.services.plan import request_deploy
from deployments.services.sync import sync
from deployments.sources import folder
from deployments.states import RUN_FINAL, RunState
from tests.faults.processes import ROOT, executors, is_stopped, send
from tests.faults.scripts import COUNTED_ROWS, Written, write
from tests.faults.world import World

T = TypeVar("T")

PATIENCE_SECONDS = 60.0  # a run that has not ended by then is lost
LOOK_SECONDS = 0.05
REQUESTER, ON_CALL = "dana", "noor"
MIGRATOR, PASSWORD = "migrator", "of-faults-only"
TEMPLATE = "faults_template"
LEDGER_ROWS = 30_000
PREPARE = f"""
CREATE TABLE effects (id bigint GENERATED ALWAYS AS IDENTITY, migration text NOT NULL);
CREATE TABLE ledger (id int PRIMARY KEY, points int NOT NULL, partner int NOT NULL);
INSERT INTO ledger SELECT n, n * 7919 % 10007, n % 97 FROM generate_series(1, {LEDGER_ROWS}) n;
CREATE TABLE counted (id int PRIMARY KEY, times int NOT NULL DEFAULT 0);
INSERT INTO counted SELECT generate_series(1, {COUNTED_ROWS});
ANALYZE counted;
CREATE FUNCTION slowly(value int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
    'BEGIN PERFORM pg_sleep(0.01); RETURN value; END';
"""
OURS = "application_name LIKE 'locktender/job={job}/%'"


def asked(read: Callable[[], T], *, patience_seconds: float = 30.0) -> T:
    """Return what the control database answers, through a restart of it."""
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return read()
        except (OperationalError, InterfaceError):
            connections.close_all()
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_SECONDS)


def requester() -> Actor:
    """Return the person who asks for every run."""
    return person(User.objects.get(username=REQUESTER))


@dataclass
class Place:
    """One target: its database, its folder of migrations, and everything that was ever written there."""

    name: str
    server: str  # connection string
    source: Path
    secret: Path  # says where the server is
    database: Database
    written: list[Written] = field(default_factory=list)

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Open a session with the target that no fault is meant for."""
        return psycopg.connect(self.server, autocommit=True, application_name="oracle")


class Places:
    """The targets of a campaign. A target where something went wrong is left alone afterwards."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._free: list[Place] = []
        self._count = 0
        self._lock = threading.Lock()
        setup.grant(REQUESTER, Role.DEVELOPER, actor=COMMAND_LINE)
        setup.grant(ON_CALL, Role.ON_CALL, actor=COMMAND_LINE)
        world.targets.ensure_role(MIGRATOR, password=PASSWORD)
        world.targets.ensure_database(TEMPLATE, owner=MIGRATOR)
        with psycopg.connect(world.targets.url(TEMPLATE, role=MIGRATOR, password=PASSWORD)) as prepared:
            prepared.execute(PREPARE.encode())

    def take(self) -> Place:
        """Return a target that nobody uses."""
        with self._lock:
            return self._free.pop(0) if self._free else self._new()

    def give_back(self, place: Place) -> None:
        """Let others use a target again."""
        with self._lock:
            self._free.append(place)

    def _new(self) -> Place:
        self._count += 1
        name = f"target_{self._count}"
        with psycopg.connect(self._world.targets.superuser_url(), autocommit=True) as opened:
            opened.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {MIGRATOR}".encode())
        server = self._world.targets.url(name, role=MIGRATOR, password=PASSWORD)
        source = self._world.folder / name
        source.mkdir()
        secret = self._world.folder / f"{name}.url"
        secret.write_text(server)
        slug = name.replace("_", "-")
        application = setup.add_application(slug, layout="sql-pairs", source=f"folder:{source}", actor=COMMAND_LINE)
        environment = setup.add_environment(application, "staging", rank=1, protected=False, actor=COMMAND_LINE)
        Policy.objects.create(environment=environment, version=2, rules={"backup": True}, reason="To be killed in it")
        database = setup.add_database(environment, name, connection=f"file:{secret}", owner_role="", actor=COMMAND_LINE)
        plane = ControlPlane.objects.get().pk
        install(target_of(database), installation_sql(control_plane_id=plane, database_id=database.pk))
        return Place(name, server, source, secret, Database.objects.get(pk=database.pk))


@dataclass
class Case:
    """One run of new migrations on one target, and what a fault needs to know about it."""

    world: World
    place: Place
    random: random.Random
    run: MigrationRun = field(init=False)
    job: Job = field(init=False)
    armed: subprocess.Popen[str] | None = None
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

    def arm(self, *options: str) -> None:
        """Have an executor wait for the job with a trap in it."""
        self.armed = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.armed", *options],
            cwd=ROOT,
            env=self.world.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.world.folder / "armed.log").open("ab"),
            text=True,
        )
        assert self.armed.stdout is not None
        assert self.armed.stdout.readline() == "ready\n", "the armed executor did not start"

    def start(self) -> None:
        """Start the run; for an armed executor it counts as sent already, so that no other one starts in vain."""
        with transaction.atomic():
            self.job = decide.start(self.run, actor=requester()).jobs.get()
            if self.armed is not None:
                Job.objects.filter(pk=self.job.pk).update(sent_at=Now())
        if self.armed is not None:
            assert self.armed.stdin is not None
            self.armed.stdin.write(f"{self.job.pk}\n")
            self.armed.stdin.flush()

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
            ours = found in executors(self.world.mark, self.job.pk) or (
                self.armed is not None and self.armed.poll() is None and self.armed.pid == found
            )
            return job.state == "running" and host == socket.gethostname() and found != other_than and ours

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
            if not executors(self.world.mark, self.job.pk) and (self.armed is None or self.armed.poll() is not None):
                return True
            time.sleep(LOOK_SECONDS)
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
            with self.armed as process:
                process.kill()


def forget_connections() -> None:
    """Begin with fresh connections: those of before may have been cut by a fault."""
    connections.close_all()


assert os.environ.get("DATABASE_URL"), "the campaign sets the environment before this module is read"
