"""A rewards application with SQL pairs, its staging and production targets, and executors for its runs."""

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from psycopg import sql
from psycopg.conninfo import make_conninfo

from controlplane.configuration import Configuration
from deployments.actors import COMMAND_LINE, person
from deployments.crash import VARIABLE
from deployments.models import ControlPlane, Database, Job, MigrationRun, Observation, User
from deployments.models.approval import Verdict
from deployments.models.grant import Role
from deployments.pipelines.executor import execute
from deployments.pipelines.observing import observe_database, target_of
from deployments.postgres.ledger import install, installation_sql
from deployments.services import setup
from deployments.services.decide import decide, start
from deployments.services.plan import request_deploy, request_rollback
from deployments.services.sync import Synced, sync
from deployments.sources import folder
from tests.forked import Program
from tests.servers import SUPERUSER_URL

MIGRATOR = "migrator"
# Short, so that a lost executor is found within a test. Seconds.
TIMINGS = {
    "LEASE": "20",
    "HEARTBEAT": "0.5",
    "SILENCE": "15",
    "SWEEP": "0.3",
    "RESEND": "3",
    "GUARD_INTERVAL": "0.05",
}
SHORT_LEASE = {"LEASE": "1.5", "HEARTBEAT": "0.3", "SILENCE": "1.0"}  # where it must run out


@dataclass
class Rewards:
    """The application, its people, and what a test does with them."""

    source: Path
    control: str
    staging: Database
    environment: dict[str, str]
    make: Callable[[Database], None]  # the target of a database, which carries Locktender's schema then
    output: str = ""  # of the last executor that ran in a process of its own

    @cached_property
    def production(self) -> Database:
        """The database that comes after staging, and is protected. It is made when it is asked for: few tests do."""
        application = self.staging.environment.application
        found = Database.objects.get(environment__application=application, name="production")
        self.make(found)
        return found

    def write(self, name: str, forward: str, rollback: str | None = "SELECT 1") -> None:
        """Write a pair of migration files."""
        (self.source / f"{name}.up.sql").write_text(forward)
        if rollback is not None:
            (self.source / f"{name}.down.sql").write_text(rollback)

    def sync(self) -> Synced:
        application = self.staging.environment.application
        return sync(application, found=folder.read(application), commit="", actor=actor("dana"))

    def observe(self, database: Database) -> Observation:
        return observe_database(Database.objects.get(pk=database.pk), actor=COMMAND_LINE)

    def plan(self, database: Database | None = None, *, reason: str = "Points need a currency") -> MigrationRun:
        """Observe, and ask for a run of everything pending, as Dana; on staging unless told."""
        database = database or self.staging
        self.observe(database)
        return request_deploy(database.environment, reason=reason, request_key=uuid.uuid4(), actor=actor("dana"))

    def plan_rollback(self, run: MigrationRun, database: Database | None = None) -> MigrationRun:
        self.observe(database or self.staging)
        return request_rollback(run, reason="It broke", request_key=uuid.uuid4(), actor=actor("noor"))

    def approve(self, run: MigrationRun, *people: str) -> None:
        for name in people:
            decide(run, verdict=Verdict.APPROVED, digest=run.digest, actor=actor(name))

    def start(self, run: MigrationRun) -> Job:
        """Start a run and return its job."""
        return start(run, actor=actor("dana")).jobs.get()

    def executor(self, job: Job, **environment: str) -> Program:
        """Start an executor in a process of its own."""
        together = os.environ | self.environment | environment
        return Program("manage.py", "execute_job", str(job.pk), environment=together, is_heard=True)

    def execute(self, job: Job, **environment: str) -> Job:
        """Run an executor to its end and return the job as it is then.

        It runs in this process, which is quicker, unless it is told to die: then in one of its own.
        """
        if VARIABLE in environment:
            with self.executor(job, **environment) as process:
                self.output, _ = process.communicate(timeout=60)
        else:
            with configured(self.environment | environment):
                execute(job.pk)
        return Job.objects.select_related("run").get(pk=job.pk)

    def deploy(self, database: Database | None = None) -> Job:
        """Sync, plan, start and execute on staging, where nobody needs to approve."""
        self.sync()
        return self.execute(self.start(self.plan(database)))

    def connect(self, database: Database | None = None, **options: object) -> psycopg.Connection:
        """Open a session with a target, as the application would."""
        reference = (database or self.staging).connection.removeprefix("env:")
        return psycopg.connect(os.environ[reference], autocommit=True, **options)

    def tables(self, database: Database | None = None) -> set[str]:
        with self.connect(database) as opened:
            rows = opened.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            return {name for (name,) in rows}

    def history(self, database: Database | None = None) -> list[tuple[str, str]]:
        with self.connect(database) as opened:
            return opened.execute("SELECT migration, direction FROM locktender.history ORDER BY id").fetchall()


@contextmanager
def configured(environment: Mapping[str, str]) -> Iterator[None]:
    """Have this process's configuration read from these variables, as a process of their own would."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(settings, "CONFIGURATION", Configuration())
        yield


def actor(name: str):
    return person(User.objects.get(username=name))


@pytest.fixture(scope="session")
def migrator(superuser) -> str:
    """The role that migrates targets; returns its password."""
    with superuser.transaction():
        superuser.execute("SELECT pg_advisory_xact_lock(1)")  # the workers of pytest-xdist share the server
        if not superuser.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [MIGRATOR]).fetchone():
            superuser.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'of-tests-only'").format(sql.Identifier(MIGRATOR)))
    return "of-tests-only"


@pytest.fixture
def rewards(database: str, superuser, migrator: str, tmp_path: Path, monkeypatch) -> Iterator[Rewards]:
    """Rewards with empty targets that carry Locktender's schema."""
    source = tmp_path / "migrations"
    source.mkdir()
    for username, role in (("dana", "developer"), ("lee", "dba"), ("mika", "architect"), ("noor", "on-call")):
        setup.grant(username, Role(role), actor=COMMAND_LINE)
    application = setup.add_application("rewards", layout="sql-pairs", source=f"folder:{source}", actor=COMMAND_LINE)
    made: list[str] = []

    def make(target: Database) -> None:
        made.append(target_name(database, target))
        superuser.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} STRATEGY FILE_COPY").format(*map(sql.Identifier, (made[-1], MIGRATOR)))
        )
        plane = ControlPlane.objects.get().pk
        install(target_of(target), installation_sql(control_plane_id=plane, database_id=target.pk))

    targets = []
    for rank, slug in enumerate(("staging", "production"), start=1):
        variable = f"REWARDS_{slug.upper()}"
        place = setup.add_environment(application, slug, rank=rank, protected=rank == 2, actor=COMMAND_LINE)
        target = setup.add_database(place, slug, connection=f"env:{variable}", owner_role="", actor=COMMAND_LINE)
        where = {"dbname": target_name(database, target), "user": MIGRATOR, "password": migrator}
        monkeypatch.setenv(variable, make_conninfo(os.environ[SUPERUSER_URL], **where))
        targets.append(target)
    make(targets[0])
    environment = TIMINGS | {
        name: make_conninfo_url(os.environ[name], database) for name in ("DATABASE_URL", "DATABASE_OWNER_URL")
    }
    environment["ARTIFACTS"] = str(tmp_path / "artifacts")  # every test begins with run #1
    yield Rewards(source, database, targets[0], environment, make)
    for name in made:
        superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def target_name(control: str, target: Database) -> str:
    """Return what a target of a test is called on the server: beside the test's control database."""
    return f"{control}_{target.name}"


def make_conninfo_url(url: str, database: str) -> str:
    """Return the same address with another database: executors are told where this test's control database is."""
    return f"{url.rpartition('/')[0]}/{database}"
