"""Add what is managed: an application, an environment, a database, servers and hooks of it, a health check, a role."""

from typing import Any

from django.core.management.base import CommandParser
from django.db.models import Model

from checks.health import Expectation
from deployments.management.base import Command as Base
from deployments.models.grant import Role
from deployments.services import setup


class Command(Base):
    """Add an application, environment, database, health check or role."""

    help = "Adds an application, an environment, a database, a health check, or a role of a person."

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
        server = kinds.add_parser(
            "rehearsal-server", help="APPLICATION/ENVIRONMENT --connection env:NAME; takes the place of an earlier one"
        )
        server.add_argument("path", metavar="APPLICATION/ENVIRONMENT")
        server.add_argument("--connection", required=True, help='env:NAME or file:/path; "" for none')
        hook = kinds.add_parser(
            "rollback-hook", help="APPLICATION/ENVIRONMENT --url https://…; replaces an earlier one"
        )
        hook.add_argument("path", metavar="APPLICATION/ENVIRONMENT")
        hook.add_argument("--url", required=True, help='told with a signed POST before a rollback; "" for none')
        health = kinds.add_parser("health", help="APPLICATION/ENVIRONMENT --url URL; takes the place of an earlier one")
        health.add_argument("path", metavar="APPLICATION/ENVIRONMENT")
        health.add_argument("--url", required=True, help="asked with GET; redirects are not followed")
        health.add_argument("--status", type=int, default=200)
        health.add_argument("--json-path", default="", metavar="PATH", help='must be there, as "checks.0.status"')
        health.add_argument("--json-value", default="", metavar="TEXT", help="what must stand at that path")
        health.add_argument("--text", default="", help="must occur in the body")
        health.add_argument(
            "--version-path", default="", metavar="PATH", help="where the version of the application is"
        )
        health.add_argument(
            "--latency-path", default="", metavar="PATH", help="where its latency in milliseconds is; no part of health"
        )
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
            case "rehearsal-server":
                added = self.environment(options["path"])
                setup.set_rehearsal_server(added, connection=options["connection"], actor=actor)
            case "rollback-hook":
                added = self.environment(options["path"])
                setup.set_rollback_hook(added, url=options["url"], actor=actor)
            case "health":
                fields = ("url", "status", "json_path", "json_value", "text", "version_path", "latency_path")
                expectation = Expectation(**{field: options[field] for field in fields})
                added = setup.set_health_check(self.environment(options["path"]), expectation, actor=actor)
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
