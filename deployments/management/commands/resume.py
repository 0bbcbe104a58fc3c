"""Let a paused run go on."""

from typing import Any

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.services.pause import resume


class Command(Base):
    """Resume a run."""

    help = "Lets a paused run go on: its executor looks at the target first."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the run, why it may go on, and who acts."""
        parser.add_argument("run", type=int)
        parser.add_argument("--reason", default="")
        self.add_person(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Do it, and print the state it led to."""
        run = resume(self.run(options["run"]), reason=options["reason"], actor=self.actor(options))
        self.stdout.write(f"Run {run} is {run.state} and goes on. Follow it.")
