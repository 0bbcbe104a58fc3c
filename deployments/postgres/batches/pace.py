"""How big the next batch is and how long to pause before it: pure, from what the last one cost."""

from dataclasses import dataclass

from checks.words import counted

TARGET_SECONDS = 0.5  # how long a batch may hold its locks: half of what the application waits at most by default
FIRST_SIZE = 500  # rows; before anything was measured
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0  # seconds
LAG_SHARE = 1 / 6  # of what the plan lets a replica fall behind: waited for long before the guard would cancel


@dataclass(frozen=True, slots=True)
class Pressure:
    """What the batches do to others: sessions that waited for the last one, and how far behind a replica is.

    `lag` is in seconds since the statement began, None where it is not measured.
    """

    waiting: int = 0
    lag: float | None = None


def lag_limit_of(replica_seconds: float | None) -> float | None:
    """Return how far behind a replica is waited for, in seconds: a share of what the plan allows; None is no limit."""
    return None if replica_seconds is None else replica_seconds * LAG_SHARE


@dataclass(slots=True)
class Pace:
    """The size of the next batch, never above `most`, the pause before it in seconds, and why there is one.

    A replica that has fallen further behind than `lag_limit` seconds is waited for; None waits for none.
    """

    most: int
    lag_limit: float | None = None
    size: int = 0
    pause: float = 0.0
    reason: str = ""

    def __post_init__(self) -> None:
        """Begin small: what a batch costs is not known yet."""
        self.size = self.size or min(self.most, FIRST_SIZE)

    def took(self, seconds: float, keys: int, pressure: Pressure) -> None:
        """Take into account a batch that was committed: so many keys in so many seconds, and who felt it."""
        if keys >= self.size:  # the last one of a table says nothing about full ones
            wanted = int(keys * TARGET_SECONDS / seconds) if seconds > 0 else self.most
            self.size = max(1, min(self.most, max(self.size // 4, min(self.size * 2, wanted))))
        if pressure.waiting:
            self.size = max(1, self.size // 2)
            self._slower(f"{counted(pressure.waiting, 'session')} waited for the last batch")
        elif pressure.lag is not None and self.lag_limit is not None and pressure.lag > self.lag_limit:
            self._slower(f"a replica has fallen {pressure.lag:.0f} s behind")
        else:
            self.pause = self.pause / 2 if self.pause > FIRST_PAUSE else 0.0
            self.reason = self.reason if self.pause else ""

    def refused(self, why: str) -> None:
        """Take into account a batch that was rolled back: because of a lock, or because others waited too long."""
        self.size = max(1, self.size // 4)
        self._slower(why)

    def _slower(self, why: str) -> None:
        self.pause = min(LONGEST_PAUSE, max(FIRST_PAUSE, self.pause * 2))
        self.reason = why
