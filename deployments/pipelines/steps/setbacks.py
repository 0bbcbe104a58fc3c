"""What a migration goes on after, and how often: links that break, and locks on what it reads. Progress counts anew."""

import time

from deployments.errors import DeploymentError
from deployments.pipelines.contract import Step, StepContext
from deployments.postgres.errors import TargetLocked

BROKEN_LINKS = 5  # how often guard or target may break away, with nothing committed between, before the step gives up
PAUSE_SECONDS = 0.5
LONGEST_PAUSE = 30.0  # seconds
KEPT = (
    "What this run had committed before stays in force and is counted. A statement outside a transaction, if one was "
    "under way, may be in force although it is not counted: another run looks at it first."
)


class Setbacks:
    """The setbacks of one step since it last committed something."""

    def __init__(self, ctx: StepContext, step: Step) -> None:
        """Begin without any."""
        self._ctx, self._step = ctx, step
        self._links = self._locks = 0
        self._locked_since = 0.0

    def came_on(self) -> None:
        """Something was committed: what came before counts no more, and neither does the time it took.

        The limit of the step is for one that hangs. A change in batches may go on for days, and each batch is proof
        that it does not.
        """
        self._links = self._locks = 0
        self._ctx.control.limit(self._step.timeout)

    def link_broke(self, cut: Exception) -> None:
        """Wait before the link is tried again. Raises the break itself when there were too many."""
        if self._links == BROKEN_LINKS:
            raise cut
        self._ctx.log(f"The link to {self._ctx.target.name} broke ({type(cut).__name__}). Looking at what is there.")
        self._ctx.control.wait(PAUSE_SECONDS * 2**self._links)
        self._links += 1

    def locked_out(self, refused: Exception) -> None:
        """Wait before the target is read again, after a lock was in the way.

        Raises TargetLocked when that has lasted as long as a statement is tried for, and PausedOnRequest: what is sent
        is tried again by itself, so nothing is under way.
        """
        self._locked_since = self._locked_since if self._locks else time.monotonic()
        if time.monotonic() - self._locked_since > self._ctx.limits.lock_retry_limit.total_seconds():
            raise self.locked() from refused
        name = self._ctx.target.name
        self._ctx.log(f"{name} could not be read ({type(refused).__name__}): another session is in the way")
        self._ctx.control.rest(min(LONGEST_PAUSE, PAUSE_SECONDS * 2 ** min(self._locks, 6)))
        self._ctx.control.require_may_go_on(f"before {name} was read again")
        self._locks += 1

    def locked(self) -> DeploymentError:
        """Return the refusal of a target that cannot be read, with what is in force of the run."""
        return TargetLocked(target=self._ctx.target.name, left=KEPT)
