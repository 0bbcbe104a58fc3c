"""The targets of a campaign: one for each run that a fault is done to, cloned from a template, with its own folder."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from django.db import InterfaceError, OperationalError, connections

from deployments.actors import COMMAND_LINE, Actor, person
from deployments.models import ControlPlane, Database, Policy, User
from deployments.models.grant import Role
from deployments.pipelines.observing import target_of
from deployments.postgres.ledger import install, installation_sql
from deployments.services import setup
from tests.faults.scripts import Written
from tests.faults.world import MIGRATOR, PASSWORD, TEMPLATE, World

T = TypeVar("T")

LOOK_SECONDS = 0.05
REQUESTER, ON_CALL = "dana", "noor"
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
    """The targets of a campaign: each fault gets new ones, so that the same fault can be done again alone."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._plane = ControlPlane.objects.get().pk
        setup.grant(REQUESTER, Role.DEVELOPER, actor=COMMAND_LINE)
        setup.grant(ON_CALL, Role.ON_CALL, actor=COMMAND_LINE)

    def take(self, slug: str) -> Place:
        """Make a target."""
        name = f"target-{slug}"
        with psycopg.connect(self._world.targets.superuser_url(), autocommit=True) as opened:
            opened.execute(f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE} OWNER {MIGRATOR}'.encode())
        server = self._world.targets.url(name, role=MIGRATOR, password=PASSWORD)
        source = self._world.folder / name
        source.mkdir()
        secret = self._world.folder / f"{name}.url"
        secret.write_text(server)
        application = setup.add_application(name, layout="sql-pairs", source=f"folder:{source}", actor=COMMAND_LINE)
        environment = setup.add_environment(application, "staging", rank=1, protected=False, actor=COMMAND_LINE)
        Policy.objects.create(environment=environment, version=2, rules={"backup": True}, reason="To be killed in it")
        database = setup.add_database(environment, name, connection=f"file:{secret}", owner_role="", actor=COMMAND_LINE)
        install(target_of(database), installation_sql(control_plane_id=self._plane, database_id=database.pk))
        return Place(name, server, source, secret, Database.objects.get(pk=database.pk))

    def let_go(self, place: Place) -> None:
        """Remove a target of which nobody wants to know any more."""
        with psycopg.connect(self._world.targets.superuser_url(), autocommit=True) as opened:
            opened.execute(f'DROP DATABASE "{place.name}" WITH (FORCE)'.encode())
        shutil.rmtree(place.source)
