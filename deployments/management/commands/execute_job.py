"""Run one job in this process. Workers and dispatchers call it; by hand it is harmless, because the claim decides."""

from typing import Any

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.pipelines.executor import execute


class Command(Base):
    """Execute one job, if it is to be had."""

    help = "Executes one job in this process, if it is to be had."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the primary key of the job."""
        parser.add_argument("job", type=int)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Execute, and say if there was nothing to do."""
        if not execute(options["job"]):
            self.stdout.write(f"Job {options['job']} is not to be had now.")
