"""What may stop a migration from outside, as a small protocol: `postgres` knows neither executor nor models."""

from typing import Protocol


class Stop(Protocol):
    """Asked between statements and while waiting; a guard asks it four times a second."""

    @property
    def cancel_requested(self) -> bool:
        """Whether a person asked to stop."""

    def require_may_start(self) -> None:
        """Raise if nothing new may be started: cancelled, or the executor lost touch with the control database."""

    def wait(self, seconds: float) -> None:
        """Wait so long, or until a person asks to stop."""
