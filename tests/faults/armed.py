"""An executor that dies or halts at a named place, or whose disk is full. A fork server is told to be one.

The places are the product's own crash points, and some more that are made here by wrapping functions.
"""

import argparse
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

import django

django.setup()

from deployments.crash import POINTS, crash_point  # noqa: E402 # Django first
from deployments.pipelines import executor  # noqa: E402
from deployments.pipelines.control import Control  # noqa: E402
from deployments.postgres import transactional  # noqa: E402
from deployments.postgres.alone import inside, rooms, running  # noqa: E402
from deployments.postgres.batches import run as batches  # noqa: E402

OPENING = (transactional, running, rooms, inside, batches)
WRAPPED: dict[str, list[tuple[Any, str]]] = {
    "session-about-to-open": [(module, "open_session") for module in OPENING],
    "history-about-to-be-written": [(running, "_write_history"), (transactional, "write_entry")],
}
PLACES = (*POINTS, *WRAPPED)


class Trap:
    """Sends this process a signal the n-th time it comes by."""

    def __init__(self, place: str, *, occurrence: int, number: signal.Signals) -> None:
        self.place = place
        self.left = occurrence
        self.number = number

    def reached(self, place: str) -> None:
        """Come by a place."""
        if place == self.place and self.left:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), self.number)

    def before(self, place: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with the trap in front of it."""

        def trapped(*arguments: Any, **keywords: Any) -> Any:
            self.reached(place)
            return function(*arguments, **keywords)

        return trapped


def execute(words: list[str]) -> None:
    """Set the trap and execute the job that is the first of the words. This process is good for nothing else then."""
    parser = argparse.ArgumentParser()
    parser.add_argument("job", type=int)
    parser.add_argument("--at", choices=PLACES, default="")
    parser.add_argument("--occurrence", type=int, default=1)
    parser.add_argument("--signal", choices=["SIGKILL", "SIGSTOP", "SIGTERM"], default="SIGKILL")
    parser.add_argument("--blind", action="store_true", help="does not notice that time has passed")
    parser.add_argument("--disk", type=int, help="so many bytes in a file, and the disk is full for it and its dump")
    wanted = parser.parse_args(words)
    trap = Trap(wanted.at, occurrence=wanted.occurrence, number=signal.Signals[wanted.signal])
    for module in [one for name, one in sys.modules.items() if name.startswith("deployments.")]:
        if getattr(module, "crash_point", None) is crash_point:
            module.crash_point = trap.reached  # type: ignore[attr-defined]
    for place, functions in WRAPPED.items():
        for module, name in functions:
            setattr(module, name, trap.before(place, getattr(module, name)))
    if wanted.blind:  # as in a virtual machine that was suspended: its own clock stood still
        Control.require_may_start = lambda _self: None  # type: ignore[method-assign]
    if wanted.disk:
        resource.setrlimit(resource.RLIMIT_FSIZE, (wanted.disk, resource.RLIM_INFINITY))
    executor.execute(wanted.job)
