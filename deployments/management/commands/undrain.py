"""Let new jobs begin again after a drain."""

from typing import Any

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.services.drain import end_drain


class Command(Base):
    """End the drain."""

    help = "Ends a drain: what is queued begins as it is due."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take who acts."""
        parser.add_argument("--as", dest="person", metavar="NAME", help="who acts; default: the command line itself")

    def handle(self, *_args: Any, **options: Any) -> None:
        """End it, and say since when it was."""
        drain = end_drain(actor=self.actor(options))
        since = f"{drain.begun_at:%Y-%m-%d %H:%M:%S} UTC"
        self.stdout.write(f"The drain of {since} is over: new jobs begin as they are due.")
