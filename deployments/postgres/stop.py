"""What may stop or rest a migration from outside, as a small protocol: `postgres` knows neither executor nor models."""

from typing import Protocol


class Stop(Protocol):
    """Asked between statements and while waiting; a guard asks it four times a second."""

    @property
    def cancel_requested(self) -> bool:
        """Whether a person asked to stop."""

    def require_may_start(self) -> None:
        """Raise if nothing new may be started: cancelled, or the executor lost touch with the control database."""

    def require_may_go_on(self, place: str) -> None:
        """The same where the work can rest: raise PausedOnRequest too, if a person asked to pause.

        Only where nothing is under way that a rest would leave half done: between statements that run alone, between
        batches, files and steps, between two tries of a file. `place` says where, after "paused": "before 002_note".
        """

    def wait(self, seconds: float) -> None:
        """Wait so long, or until a person asks to stop."""

    def rest(self, seconds: float) -> None:
        """Wait so long where the work can rest, or until a person asks to stop or to pause.

        `require_may_go_on` follows it: after a wish to pause it no longer waits at all.
        """
