"""Named places where an executor can be told to die or to halt, so that tests can do it exactly there."""

import os
import signal

VARIABLE = "LOCKTENDER_CRASH_AT"
HALT = "LOCKTENDER_HALT_AT"
POINTS = (
    "claimed",
    "step-started",
    "backup-dumped",
    "backup-unrecorded",
    "restore-created",
    "restore-filled",
    "verified-unrecorded",
    "writes-stopped",
    "swap-ledger-written",
    "swap-ready",
    "swap-about-to-begin",
    "swap-pooler-told",
    "swap-one-renamed",
    "swap-renamed",
    "swap-committed",
    "statement-about-to-start",
    "statement-intended",
    "statement-acted",
    "leftover-cleared",
    "statement-done",
    "before-commit",
    "batch-before-commit",
    "batch-committed",
    "migration-committed",
    "step-done-unrecorded",
    "all-steps-done",
)


def crash_point(name: str) -> None:
    """Die as by kill -9, or halt as by SIGSTOP, if the environment asks for it here. Only tests set the variables."""
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get(HALT) == name:
        os.kill(os.getpid(), signal.SIGSTOP)
