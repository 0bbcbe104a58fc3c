"""Named places where an executor can be told to die, so that tests can crash it exactly there."""

import os
import signal

VARIABLE = "LOCKTENDER_CRASH_AT"
POINTS = (
    "claimed",
    "step-started",
    "backup-unrecorded",
    "statement-about-to-start",
    "before-commit",
    "migration-committed",
    "step-done-unrecorded",
    "all-steps-done",
)


def crash_point(name: str) -> None:
    """Die as by kill -9 if the environment asks for this point. Outside of tests nothing sets the variable."""
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
