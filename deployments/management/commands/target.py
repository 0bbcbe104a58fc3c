"""Print the SQL that prepares a target, or run it there."""

from typing import Any

from django.core.management.base import CommandParser

from deployments.authority import Action, require
from deployments.management.base import Command as Base
from deployments.models import ControlPlane
from deployments.pipelines.observing import target_of
from deployments.postgres.ledger import install, installation_sql


class Command(Base):
    """Show or create the schema locktender in a target."""

    help = "Prints the SQL that creates the schema locktender in a target; with --apply runs it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take APPLICATION/ENVIRONMENT/DATABASE."""
        parser.add_argument("database")
        parser.add_argument("--apply", action="store_true", help="run it with the database's own connection")
        parser.add_argument("--as", dest="person", metavar="NAME", help="who acts; default: the command line itself")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print the SQL, or what was done."""
        database = self.database(options["database"])
        actor, plane = self.actor(options), ControlPlane.objects.get().pk
        if actor.user is not None:
            require(actor, Action.MANAGE_APPLICATION, database)
        sql = installation_sql(control_plane_id=plane, database_id=database.pk)
        if not options["apply"]:
            self.stdout.write(sql)
            return
        install(target_of(database), sql)
        self.stdout.write(f"{database}: the schema locktender is there now.")
