"""Answer one wish about a target in this process. Workers and dispatchers call it; by hand it is harmless."""

from typing import Any

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.pipelines.answering import answer_request


class Command(Base):
    """Look at a target, or re-adopt it, because somebody wants it."""

    help = "Answers one wish about a target in this process, if nobody has."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the primary key of the wish."""
        parser.add_argument("request", type=int)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Answer, and say if there was nothing to do."""
        if not answer_request(options["request"]):
            self.stdout.write(f"Wish {options['request']} was answered before.")
