"""Show what a target remembers that the control database does not know, or take it on again."""

from typing import Any

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.pipelines.adopting import look_at_memory, readopt_database
from deployments.postgres.lives import Remembered


class Command(Base):
    """Re-adopt a target."""

    help = "Prints what a target remembers; with --reason marks it as this database from now on."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take APPLICATION/ENVIRONMENT/DATABASE, and for more than a look the reason."""
        parser.add_argument("database")
        parser.add_argument("--reason", help="why what is there is right: marks it, and is kept in the audit log")
        parser.add_argument("--as", dest="person", metavar="NAME", help="who acts; default: the command line itself")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print what was there, and what was done."""
        database, reason = self.database(options["database"]), options["reason"]
        if reason is None:
            self._tell(look_at_memory(database))
            self.stdout.write("Nothing was changed. With --reason it is marked as this database.")
            return
        before = readopt_database(database, reason=reason, actor=self.actor(options))
        self._tell(before)
        self.stdout.write(f"{database}: was marked as {before.marked}, is marked as {before.found} now.")

    def _tell(self, seen: Remembered) -> None:
        self.stdout.write(f"Marked as {seen.marked}; it is {seen.found}. Its fence is {seen.fence}.")
        for row in seen.rows:
            whose = "adopted before" if row["job"] < 0 else f"run #{row['run']} of another life"
            self.stdout.write(f"{row['at']}  {row['migration']}  {row['direction']}  by {whose}")
        count = "1 job" if len(seen.unknown) == 1 else f"{len(seen.unknown)} jobs"
        self.stdout.write(f"{count} there that this control database never ran there.")
