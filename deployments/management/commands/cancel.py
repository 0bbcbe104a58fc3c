"""Cancel a run."""

from typing import Any

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.services.decide import request_cancel
from deployments.states import RUN_FINAL


class Command(Base):
    """Cancel a run."""

    help = "Asks a run to stop."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the run and who acts."""
        parser.add_argument("run", type=int)
        self.add_person(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do it, and print the state it led to."""
        run = request_cancel(self.run(options["run"]), actor=self.actor(options))
        asked = "" if run.state in RUN_FINAL else " and was asked to stop. Follow it to see what it had done"
        self.stdout.write(f"Run {run} is {run.state}{asked}.")
