"""Write the schema of a database, with sizes, for judging where the database cannot be asked."""

from datetime import UTC
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from checks.model.saved import Saved, to_json, without_values
from checks.output import OutputFailed
from deployments.management.base import Command as Base
from deployments.planning import NotObserved
from deployments.selectors.history import latest_observation


class Command(Base):
    """Write a snapshot for `migration-check --snapshot`."""

    help = "Writes tables, sizes and traffic of the newest observation for CI: no credentials, no values."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take APPLICATION/ENVIRONMENT/DATABASE and where to write."""
        parser.add_argument("database")
        parser.add_argument("--out", metavar="FILE", help="where to write; default: standard output")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Write it."""
        database = self.database(options["database"])
        seen = latest_observation(database)
        schema = seen.schema_model() if seen else None
        if seen is None or schema is None:
            raise NotObserved(database=str(database))
        moment = seen.observed_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        applied = tuple(entry["name"] for entry in seen.history)
        text = to_json(Saved(without_values(schema), seen.server_version, moment, applied))
        if options["out"] is None:
            self.stdout.write(text, ending="")
            return
        try:
            Path(options["out"]).write_text(text, encoding="utf-8")
        except OSError as refused:
            raise OutputFailed(problem=f"{options['out']}: {refused.strerror}") from refused
