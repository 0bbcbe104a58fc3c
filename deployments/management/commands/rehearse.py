"""Have the way back of a run's plan tried on a clone."""

from typing import Any
from uuid import uuid4

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.services.rehearse import request_rehearsal


class Command(Base):
    """Rehearse a run."""

    help = "Queues a rehearsal of the plan of a run that awaits its decision."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the run and who acts."""
        parser.add_argument("run", type=int)
        self.add_person(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Ask for it, and print the run that it is."""
        rehearsal = request_rehearsal(self.run(options["run"]), request_key=uuid4(), actor=self.actor(options))
        self.stdout.write(f"Run {rehearsal} rehearses run #{options['run']}. Follow it: manage.py follow {rehearsal}")
