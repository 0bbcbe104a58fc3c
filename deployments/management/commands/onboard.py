"""Read who may change the schema of a target past Locktender, and print the SQL that ends it."""

from typing import Any

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.pipelines.observing import observe_database
from deployments.postgres.gate import gate_sql
from deployments.selectors.back_door import back_door_of
from deployments.selectors.onboarding import Onboarding, onboarding_of


class Command(Base):
    """Name who may change a schema, and print what takes it from them."""

    help = (
        "Reads who may change the schema of a target past Locktender, and prints the SQL that ends it. Runs none of it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take APPLICATION/ENVIRONMENT/DATABASE, and what of the SQL is wanted alone."""
        parser.add_argument("database")
        parser.add_argument("--gate", action="store_true", help="print only the SQL that makes the gate")
        parser.add_argument("--remove-gate", action="store_true", help="print only the SQL that takes the gate away")
        allowed = "a role that may change the schema, too, with --gate; can be given more than once"
        parser.add_argument("--allow", action="append", default=[], metavar="ROLE", help=allowed)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print what was found, and the SQL."""
        database = self.database(options["database"])
        observe_database(database, actor=self.actor(options))
        found = onboarding_of(database)
        if found is None:
            self.stdout.write(f"{database}: who may change the schema could not be read in time. Try again.")
        elif options["remove_gate"]:
            self.stdout.write(found.removal)
        elif options["gate"]:
            names = [found.access.ours, *options["allow"]]
            self.stdout.write(gate_sql(database=found.access.database, roles=names))
        else:
            self._tell(str(database), found)
            for one in back_door_of(database).open:
                self.stdout.write(
                    f"Alarm: {one.alarm.migration} {one.said}. First seen {one.alarm.raised_at:%F %T} UTC."
                )

    def _tell(self, database: str, found: Onboarding) -> None:
        gate = found.access.gate
        shut = "shut" if gate.is_shut else "there, but not shut" if gate.is_there else "not there"
        self.stdout.write(f"{database}: Locktender signs in as {found.access.ours}. The gate is {shut}.")
        for client in found.clients:
            named = (
                "a hidden application" if client.application is None else client.application or "an unnamed application"
            )
            may = "may change the schema" if client.may_change else "may not change the schema"
            self.stdout.write(
                f"Seen in it: {client.role} ({named}), which {may}. Last seen {client.seen_at:%F %T} UTC."
            )
        for one in found.closings:
            self.stdout.write(f"\n{one.role.name} may change the schema.")
            for note in one.notes:
                self.stdout.write(f"  {note}")
            self.stdout.write(one.sql)
        if found.parting:
            self.stdout.write(
                f"\nThe application signs in as {found.access.owner}. Give it a role of its own:\n{found.parting}"
            )
        if found.is_closed:
            self.stdout.write("As far as was looked, Locktender and superusers alone may change it.")
        self.stdout.write("Nothing was changed. The gate: --gate prints its SQL, --remove-gate that of its end.")
