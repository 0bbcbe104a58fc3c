"""Add what is managed: an application, an environment, a database, a person's role."""

from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Model

from deployments.management.base import Command as Base
from deployments.models.grant import Role
from deployments.services import setup


class Command(Base):
    """Add an application, environment, database or role."""

    help = "Adds an application, an environment, a database, or a role of a person."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take what to add, by its path."""
        parser.add_argument("--as", dest="person", metavar="NAME", help="who acts; default: the command line itself")
        kinds = parser.add_subparsers(dest="kind", required=True)
        application = kinds.add_parser("application", help="SLUG --source folder:PATH")
        application.add_argument("path", metavar="APPLICATION")
        application.add_argument("--layout", default="sql-pairs")
        application.add_argument("--source", required=True)
        environment = kinds.add_parser("environment", help="APPLICATION/ENVIRONMENT --rank N")
        environment.add_argument("path", metavar="APPLICATION/ENVIRONMENT")
        environment.add_argument("--rank", type=int, required=True)
        environment.add_argument("--unprotected", action="store_true")
        database = kinds.add_parser("database", help="APPLICATION/ENVIRONMENT/DATABASE --connection env:NAME")
        database.add_argument("path", metavar="APPLICATION/ENVIRONMENT/DATABASE")
        database.add_argument("--connection", required=True, help="env:NAME or file:/path, never the string itself")
        database.add_argument("--owner-role", default="")
        role = kinds.add_parser("role", help="PERSON ROLE [--at APPLICATION[/ENVIRONMENT]]")
        role.add_argument("username", metavar="PERSON")
        role.add_argument("role", choices=Role.values)
        role.add_argument("--at", default="")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Add it and print its path."""
        actor = self.actor(options)
        added: Model
        match options["kind"]:
            case "application":
                added = setup.add_application(
                    options["path"], layout=options["layout"], source=options["source"], actor=actor
                )
            case "environment":
                application, _, slug = options["path"].partition("/")
                added = setup.add_environment(
                    self.application(application),
                    slug,
                    rank=options["rank"],
                    protected=not options["unprotected"],
                    actor=actor,
                )
            case "database":
                place, _, name = options["path"].rpartition("/")
                added = setup.add_database(
                    self.environment(place),
                    name,
                    connection=options["connection"],
                    owner_role=options["owner_role"],
                    actor=actor,
                )
            case _:
                added = self._grant(options)
        self.stdout.write(f"Added {added}.")

    def _grant(self, options: dict[str, Any]) -> Model:
        environment = self.environment(options["at"]) if "/" in options["at"] else None
        application = environment.application if environment else None
        if options["at"] and environment is None:
            application = self.application(options["at"])
        return setup.grant(
            options["username"],
            Role(options["role"]),
            application=application,
            environment=environment,
            actor=self.actor(options),
        )
