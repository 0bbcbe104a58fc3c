"""Why a migration stopped, and what of it is in force."""

from collections.abc import Mapping
from typing import Any

from deployments.errors import DeploymentError
from deployments.postgres.errors import NOTHING


class StatementFailed(DeploymentError):
    """The server refused a statement of a migration."""

    code = "statement-failed"

    def __init__(self, *, place: str, sqlstate: str, message: str, detail: str, left: str) -> None:
        self.sqlstate = sqlstate
        super().__init__(
            f"{place} failed: {message} (SQLSTATE {sqlstate}).{detail} {left} Correct it, sync, and ask for a new run."
        )


class LockNotObtained(DeploymentError):
    """The lock was not to be had in time, although the whole transaction was tried again and again."""

    code = "lock-not-obtained"

    def __init__(self, *, migration: str, tries: int, blockers: str, left: str) -> None:
        super().__init__(
            f"{migration} waited for a lock in {tries} tries and gave up. {left} "
            f"In its way: {blockers or 'not seen'}. Ask for a new run when those sessions are gone."
        )


class OverBudget(DeploymentError):
    """The application waited for us longer than the plan allows."""

    code = "over-budget"

    def __init__(
        self, *, migration: str, bill: str, left: str, why: str = "", evidence: Mapping[str, Any] | None = None
    ) -> None:
        self.evidence = dict(evidence or {})
        told = f" ({why})" if why else ""
        super().__init__(
            f"{left} {migration} was cancelled, because it held up the application: {bill}{told}. "
            "Use a form that locks for less time, or a quieter hour, then ask for a new run."
        )


class GuardLost(DeploymentError):
    """The session that watches over the application broke, or answers no more."""

    code = "guard-lost"

    def __init__(self, *, target: str) -> None:
        super().__init__(
            f"The guard's session on {target} broke or hung, and without a guard nothing runs. A transaction under way "
            "there was rolled back; an index that was being built may be left invalid, and is dropped by the next "
            "attempt. Ask for a new run when the server answers steadily."
        )


class CancelledOnRequest(DeploymentError):
    """A person asked to stop."""

    code = "cancelled-on-request"

    def __init__(self, *, migration: str) -> None:
        super().__init__(
            f"{migration} was cancelled on request. What had been committed stays and is counted; a transaction under "
            "way was rolled back, and an index that was being built may be left invalid. Ask for a new run to go on "
            "with what is left, or for a rollback of this one."
        )


class CancelledTooLate(CancelledOnRequest):
    """A person asked to stop, and the file that was under way then was committed all the same."""

    code = "cancelled-too-late"

    def __init__(self, *, migration: str) -> None:
        Exception.__init__(
            self,
            f"The cancel came too late for {migration}: it was committed already, and stays. Nothing after it was "
            "started. Ask for a new run to go on with what is left, or for a rollback of this one.",
        )


class PausedOnRequest(DeploymentError):
    """A person asked to pause, and this is a place where the work can rest. It is no failure: it is queued again."""

    code = "paused-on-request"

    def __init__(self, *, job: str, place: str) -> None:
        super().__init__(
            f"{job} was paused on request {place}. What had been committed stays and is counted; nothing is under way. "
            "Resume it to go on with what is left, or cancel it."
        )


class LayoutLockHeld(DeploymentError):
    """The team's own migration tool is running."""

    code = "layout-lock-held"

    def __init__(self, *, target: str, holder: str) -> None:
        super().__init__(
            f"Another migration tool holds its lock on {target} ({holder}). {NOTHING} "
            "Wait until it is done, then ask for a new run."
        )


class AlreadyApplied(DeploymentError):
    """The history says this migration is applied (or, for a rollback, that it is not)."""

    code = "history-moved"

    def __init__(self, *, migration: str) -> None:
        super().__init__(
            f"The history changed: {migration} is no longer where the plan has it. {NOTHING} Ask for a new plan."
        )


class InDoubt(DeploymentError):
    """It could not be found out what the database did."""

    code = "in-doubt"

    def __init__(self, *, what: str, why: str) -> None:
        super().__init__(
            f"It is not known whether {what} happened: {why.rstrip('.')}. Nothing more was started. "
            "Look at the database, then run it again or give it up."
        )
