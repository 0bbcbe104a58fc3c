"""End one session that stands in the way of a run."""

import uuid
from typing import Any

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.services.end_session import request_end


class Command(Base):
    """End a session of others."""

    help = (
        "Asks the executor of a run to end one session that stands in its way. What that one has not committed is lost."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the run, the session as the run shows it, why, and who acts."""
        parser.add_argument("run", type=int)
        parser.add_argument("--pid", type=int, required=True, help="of the server process, as the run shows it")
        parser.add_argument("--reason", required=True)
        self.add_person(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Ask, and print who was meant."""
        wish = request_end(
            self.run(options["run"]),
            pid=options["pid"],
            reason=options["reason"],
            request_key=uuid.uuid4(),
            actor=self.actor(options),
        )
        who = f"{wish.shown_user}, {wish.shown_application or 'unnamed'}"
        self.stdout.write(f"Asked for the end of session {wish.pid} ({who}). The run shows what became of it.")
