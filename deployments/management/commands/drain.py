"""Begin nothing new, and finish what runs: before an upgrade, or a restore of the control database."""

import time
from typing import Any

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.models import Job
from deployments.services.drain import begin_drain
from deployments.states import JobState

LOOK_SECONDS = 0.5


class Command(Base):
    """Drain the installation."""

    help = "Begins nothing new from now on; what runs goes on to its end. Ended with undrain."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the reason, who acts, and whether to wait."""
        parser.add_argument("--reason", required=True)
        parser.add_argument("--wait", action="store_true", help="return when nothing runs any more")
        parser.add_argument("--as", dest="person", metavar="NAME", help="who acts; default: the command line itself")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Drain, and print what still runs."""
        begin_drain(reason=options["reason"], actor=self.actor(options))
        told = None
        while running := sorted(f"{job}" for job in _running()):
            if running != told:
                self.stdout.write(f"Draining. Still running: {', '.join(running)}.")
                self.stdout.flush()
            if not options["wait"]:
                return
            told = running
            time.sleep(LOOK_SECONDS)
        self.stdout.write("Drained: nothing runs. New jobs wait until `manage.py undrain`.")


def _running() -> list[Job]:
    return list(Job.objects.filter(state=JobState.RUNNING).select_related("run", "database"))
