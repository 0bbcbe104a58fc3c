"""Run a dispatcher until it is told to stop."""

import signal
from typing import Any

from deployments.dispatch import Dispatcher
from deployments.management.base import Command as Base


class Command(Base):
    """Listen and sweep."""

    help = "Finds jobs that are due and has them driven. Any number may run."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Run until SIGTERM or Ctrl-C. Executors that were launched go on."""
        dispatcher = Dispatcher()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: dispatcher.stop())
        dispatcher.run()
