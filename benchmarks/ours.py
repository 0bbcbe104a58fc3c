"""Locktender's side of a benchmark: an application with one unprotected environment that asks for a backup."""

import os
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from benchmarks.installation import Installation
from benchmarks.pipeline import migration
from checks.health import Expectation
from deployments.actors import COMMAND_LINE, Actor, person
from deployments.models import ControlPlane, Job, MigrationRun, Step
from deployments.models.grant import Role
from deployments.pipelines.observing import observe_database, target_of
from deployments.postgres.clients import Clients
from deployments.postgres.ledger import install, installation_sql
from deployments.services import setup
from deployments.services.decide import start
from deployments.services.plan import request_deploy
from deployments.services.policy import change_policy
from deployments.services.sync import sync
from deployments.sources import folder

SERVER_VERSION = 180000
NAME, PASSWORD = "bench", "of the benchmark only"


class Ours:
    """What stands ready before the clock starts."""

    def __init__(self, installation: Installation, address: str, *, rules: Mapping[str, Any] | None = None) -> None:
        """Set up application, environment and database, and a health check if there is an address to ask."""
        self._written = 0
        self._source = installation.folder / "migrations"
        self._source.mkdir()
        granted = [setup.grant(NAME, role, actor=COMMAND_LINE) for role in (Role.DBA, Role.DEVELOPER)]
        user = granted[0].user
        user.set_password(PASSWORD)
        user.save(update_fields=["password"])
        self._actor: Actor = person(user)
        self._application = setup.add_application(
            "bench", layout="sql-pairs", source=f"folder:{self._source}", actor=COMMAND_LINE
        )
        self._environment = setup.add_environment(
            self._application, "staging", rank=1, protected=False, actor=COMMAND_LINE
        )
        self.ask(rules or {"backup": True})
        if address:
            setup.set_health_check(self._environment, Expectation(url=address), actor=COMMAND_LINE)
        self._database = setup.add_database(
            self._environment, "main", connection="env:BENCH_TARGET", owner_role="", actor=COMMAND_LINE
        )
        plane = ControlPlane.objects.get().pk
        install(target_of(self._database), installation_sql(control_plane_id=plane, database_id=self._database.pk))
        client = Clients(None).newest_for(SERVER_VERSION, tls=False, is_protected=False)
        self.pg_dump = str(client.pg_dump)
        self.libpq = os.environ | _variables(installation.target)

    def ask(self, rules: Mapping[str, Any]) -> None:
        """Put these rules in force for what is planned from now on."""
        change_policy(self._environment, rules=rules, reason="The point of it", actor=self._actor)

    def queued(self, name: str, *, verify: str = "", forward: str = "") -> int:
        """Write one more migration, plan and start it, and return the number of its job."""
        return start(self.awaiting(name, verify=verify, forward=forward), actor=self._actor).jobs.get().pk

    def forget(self, name: str) -> None:
        """Take a migration that was not applied out of the source, so that the next plan is not about it."""
        for path in self._source.glob(f"*_{name}.*"):
            path.unlink()

    def awaiting(self, name: str, *, verify: str, forward: str = "") -> MigrationRun:
        """Write one more migration, plan it, and return the run, which may start."""
        self._written += 1
        stem = f"{self._written:03d}_{name}"
        (self._source / f"{stem}.up.sql").write_text(forward or migration(name))
        (self._source / f"{stem}.down.sql").write_text(f"ALTER TABLE ledger DROP COLUMN {name}")
        if verify:
            (self._source / f"{stem}.verify.sql").write_text(verify)
        sync(self._application, found=folder.read(self._application), commit="", actor=self._actor)
        observe_database(self._database, actor=COMMAND_LINE)
        return request_deploy(self._environment, reason="A benchmark", request_key=uuid.uuid4(), actor=self._actor)

    def require_succeeded(self, job: int) -> None:
        """Stop the benchmark if what was measured was no deploy."""
        ended = Job.objects.get(pk=job)
        if ended.state != "succeeded":
            raise SystemExit(f"job {job}: {ended.state} {ended.error}")

    def end_of(self, job: int) -> str:
        """Return how a job ended: its error's code, or that it succeeded."""
        ended = Job.objects.get(pk=job)
        return ended.error_code or str(ended.state)

    def steps(self) -> Iterator[tuple[str, float]]:
        """Yield each step of the last deploy with its seconds, and the parts of the backup."""
        for step in Step.objects.filter(job=Job.objects.latest("id")):
            if step.started_at and step.finished_at:
                yield f"{step.name} ({step.state})", (step.finished_at - step.started_at).total_seconds()
            if step.name == "backup":
                yield from ((f"  of it: {part}", seconds) for part, seconds in step.evidence["seconds"].items())

    def reading(self) -> float:
        """Return how many seconds of the last deploy went into reading the dump to its end."""
        return float(Step.objects.get(job=Job.objects.latest("id"), name="backup").evidence["seconds"]["read"])


def _variables(target: str) -> dict[str, str]:
    """Return libpq's variables for a connection string."""
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    return {names[key]: str(value) for key, value in conninfo_to_dict(target).items() if key in names}
