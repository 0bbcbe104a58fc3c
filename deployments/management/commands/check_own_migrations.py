"""Our own migrations through our own checks: none has a blocking finding. Warnings and the class are only printed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from django.db.migrations.loader import MigrationLoader

from checks.finding import Severity
from checks.report import judge
from checks.words import counted

OWN = "deployments"


class Command(BaseCommand):
    """Judge the SQL of each of our migrations, and fail on a blocking finding."""

    help = "Judges the SQL of this product's own migrations with its own checks."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Print one line per migration; raise CommandError if any has a blocking finding."""
        connection = connections["owner"]
        loader = MigrationLoader(connection, replace_migrations=False)
        blocked = 0
        for key in sorted(key for key in loader.graph.nodes if key[0] == OWN):
            plan = [(loader.graph.nodes[key], False)]
            report = judge("\n".join(loader.collect_sql(plan)))
            blocking = [finding for finding in report.findings if finding.severity is Severity.BLOCKING]
            blocked += len(blocking)
            self.stdout.write(
                f"{key[1]}: {report.classified.risk}, {counted(len(report.findings), 'finding')}, "
                f"{len(blocking)} blocking"
            )
            for finding in blocking:
                self.stdout.write(f"  {finding.line}:{finding.column} {finding.code}: {finding.message}")
        if blocked:
            raise CommandError(f"{blocked} blocking findings. Change the migrations before they are released.")
