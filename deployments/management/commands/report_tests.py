"""Say whether the application's tests passed on a commit."""

from typing import Any

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.services.report_tests import report_tests


class Command(Base):
    """Report a result of CI."""

    help = "Records whether the application's tests passed on a commit; the newest report of a commit counts."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the application, the commit, and what came of its tests."""
        parser.add_argument("--application", required=True)
        parser.add_argument("--commit", required=True, metavar="SHA", help="its whole name")
        result = parser.add_mutually_exclusive_group(required=True)
        result.add_argument("--passed", action="store_true", dest="passed")
        result.add_argument("--failed", action="store_false", dest="passed")
        parser.add_argument("--url", default="", help="where the whole result stands")
        parser.add_argument("--reason", default="", help="what to know about it, as: flaky test skipped")
        self.add_person(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Record it, and say so."""
        told = report_tests(
            self.application(options["application"]),
            commit=options["commit"],
            passed=options["passed"],
            url=options["url"],
            reason=options["reason"],
            actor=self.actor(options),
        )
        self.stdout.write(f"Recorded for {options['application']}: tests {told}.")
