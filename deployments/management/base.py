"""What the commands share: finding things by their path, acting as a person, and saying a refusal in its own words."""

from typing import Any, TypeVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Model, QuerySet

from checks.errors import CheckError
from deployments.actors import COMMAND_LINE, Actor, person
from deployments.errors import DeploymentError
from deployments.models import Application, Database, Environment, MigrationRun, User
from deployments.postgres.connect import DRIVER_ERROR

Row = TypeVar("Row", bound=Model)


class Command(BaseCommand):
    """A command of ours: a refusal is one text with its code, never a traceback."""

    def execute(self, *args: Any, **options: Any) -> Any:
        """Run the command; a refusal becomes the command's error."""
        try:
            return super().execute(*args, **options)
        except (DeploymentError, CheckError) as refusal:
            raise CommandError(f"{refusal.code}: {refusal}") from refusal
        except DRIVER_ERROR as refused:
            told = refused.diag.message_primary or type(refused).__name__
            raise CommandError(
                f"target-refused: The target refused: {told}. Nothing was changed by this command after that. "
                "If it speaks of the schema locktender, its owner must be the role of the connection."
            ) from refused

    def add_person(self, parser: CommandParser) -> None:
        """Add the option that says who acts."""
        told = "who acts; the audit log names them"
        parser.add_argument("--as", dest="person", required=True, metavar="NAME", help=told)

    def actor(self, options: dict[str, Any]) -> Actor:
        """Return who acts: the named person, or the command line itself."""
        if (name := options.get("person")) is None:
            return COMMAND_LINE
        return person(found(User.objects.filter(username=name), f"person {name}"))

    def application(self, slug: str) -> Application:
        """Return the application of this name."""
        return found(Application.objects.filter(slug=slug), f"application {slug}")

    def environment(self, path: str) -> Environment:
        """Return the environment at APPLICATION/ENVIRONMENT."""
        application, _, slug = path.partition("/")
        return found(
            Environment.objects.select_related("application").filter(application__slug=application, slug=slug),
            f"environment {path}",
        )

    def database(self, path: str) -> Database:
        """Return the database at APPLICATION/ENVIRONMENT/DATABASE."""
        place, _, name = path.rpartition("/")
        return found(self.environment(place).databases.filter(name=name), f"database {path}")

    def run(self, number: int) -> MigrationRun:
        """Return the run of this number."""
        return found(MigrationRun.objects.filter(number=number), f"run #{number}")


def found(rows: QuerySet[Row], what: str) -> Row:
    """Return the only row. Raises CommandError if there is none."""
    row = rows.first()
    if row is None:
        raise CommandError(f"not-found: There is no {what}. Nothing was changed. Check the spelling.")
    return row
