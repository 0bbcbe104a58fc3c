"""Pause a run."""

from typing import Any

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.selectors.pausing import pause_of
from deployments.services.pause import request_pause


class Command(Base):
    """Pause a run."""

    help = "Asks a run to rest at the next place where nothing is half done. `resume` lets it go on."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the run, why it is to rest, and who acts."""
        parser.add_argument("run", type=int)
        parser.add_argument("--reason", required=True)
        self.add_person(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Ask, and print where it rests."""
        run = request_pause(self.run(options["run"]), reason=options["reason"], actor=self.actor(options))
        pause = pause_of(run)
        self.stdout.write(f"Run {run} was asked to pause. {pause.rest.words if pause else ''}".strip())
