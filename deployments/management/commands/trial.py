"""Look at a database before anything is granted or installed."""

import getpass
import json
import os
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from checks.layouts import detect, named
from checks.model.saved import NUMBERS_PER_MAJOR
from checks.output.data import as_json
from checks.output.text import as_text
from checks.project.following import read_project
from checks.words import counted
from deployments.management.base import Command as Base
from deployments.postgres.connect import Session, Target, connection_string
from deployments.postgres.errors import PasswordRefused
from deployments.postgres.ledger import installation_sql
from deployments.postgres.trial import of_service, open_read_only
from deployments.services.trial import Trial, look

VARIABLE = "TRIAL_DATABASE_URL"
_NOBODY = UUID(int=0)


class Command(Base):
    """Show what a deployment would meet. Nothing is written, there or here."""

    help = (
        "Looks at a database, read-only, and says what its pending migrations would do. The connection comes from "
        f"{VARIABLE}, a service of libpq (--service, PGSERVICE) or a prompt; never from the command line."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the folder, its layout, a service, and how to write the report."""
        parser.add_argument("--migrations", required=True, metavar="PATH", help="the folder of the migrations")
        parser.add_argument("--layout", default="auto", help="how the folder is laid out; auto finds out")
        parser.add_argument("--service", default="", help="a service in pg_service.conf")
        parser.add_argument("--format", choices=["text", "json"], default="text", help="how the report is written")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print what was found."""
        path = Path(options["migrations"])
        layout = detect(path) if options["layout"] == "auto" else named(options["layout"])
        project = read_project(path, layout)
        target = Target(database_id=0, name="the database", connection=f"env:{VARIABLE}")
        opened = _open(target, options["service"])
        try:
            found = look(opened, target, project)
        finally:
            opened.close()
        self.stdout.write(_as_json(found) if options["format"] == "json" else _as_text(found))


def _open(target: Target, service: str) -> Session:
    """Open the session; where a password is wanted and none was given, ask for it."""
    if service or (VARIABLE not in os.environ and "PGSERVICE" in os.environ):
        secret = of_service(service or os.environ["PGSERVICE"])
    elif VARIABLE in os.environ:
        secret = connection_string(target)
    elif sys.stdin.isatty():
        secret = getpass.getpass("Connection string, as postgresql://user@host:port/database (not shown): ")
    else:
        raise CommandError(
            f"secret-missing: There is no connection. Nothing was contacted. Set {VARIABLE}, or name a service."
        )
    try:
        return open_read_only(secret, target)
    except PasswordRefused:
        if not sys.stdin.isatty():
            raise
    return open_read_only(secret, target, password=getpass.getpass("Password (not shown): "))


def _as_text(found: Trial) -> str:
    version = ".".join(map(str, divmod(found.server_version, NUMBERS_PER_MAJOR)))
    lines = [f"PostgreSQL {version}, {counted(found.tables, 'table')}. Layout: {found.layout}.", ""]
    if found.pending is None:
        lines += [f"The history that {found.layout} keeps cannot be read yet, so what is pending is not known.", ""]
    else:
        lines += [f"Pending: {', '.join(found.pending) or 'nothing'}.", "", as_text(found.outcome).rstrip(), ""]
    lines += _list("History and files differ", found.drift)
    lines += _list("Transactions open for long, for which a change would wait", map(str, found.long))
    lines += _list(
        "The role may not", (f"{one.what}. As an administrator: {one.remedy}" for one in found.rights.missing)
    )
    if not found.rights.is_installed:
        lines += [
            "The schema locktender is not there. `manage.py target` prints this SQL with the marks of its database:",
            installation_sql(control_plane_id=_NOBODY, database_id=0),
        ]
    return "\n".join(lines)


def _list(title: str, items: Any) -> list[str]:
    found = list(items)
    return [f"{title}:", *(f"  - {one}" for one in found), ""] if found else [f"{title}: none.", ""]


def _as_json(found: Trial) -> str:
    return json.dumps(
        {
            "layout": found.layout,
            "server_version": found.server_version,
            "tables": found.tables,
            "pending": found.pending,
            "drift": found.drift,
            "judgement": json.loads(as_json(found.outcome)),
            "long_transactions": [one.as_evidence() for one in found.long],
            "missing_privileges": [{"what": one.what, "sql": one.remedy} for one in found.rights.missing],
            "is_installed": found.rights.is_installed,
        },
        indent=2,
    )
