"""The classes, their order, and the limits between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Risk(StrEnum):
    """How much care a change needs. Ordered: safe < controlled < high-risk."""

    SAFE = "safe"
    CONTROLLED = "controlled"
    HIGH = "high-risk"

    @property
    def rank(self) -> int:
        """The place in the order, 0 for safe."""
        return list(Risk).index(self)

    # A StrEnum would compare by spelling, where "controlled" is less than "safe".
    def __lt__(self, other: str) -> bool:
        return self.rank < Risk(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= Risk(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > Risk(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= Risk(other).rank


@dataclass(frozen=True, slots=True)
class Classified:
    """A class and why: the reasons of the highest class found, in the order of the script, without repeats."""

    risk: Risk
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a lock raises the class: by its seconds, and by the sessions that would wait for it.

    One second is the guard's budget for the oldest who waits, and 20 sessions are the most it lets wait at once. As
    many as 100 are all that a server accepts where nobody changed `max_connections`.
    """

    controlled_seconds: float = 1
    high_seconds: float = 10
    controlled_waiting: int = 20
    high_waiting: int = 100

    def of(self, seconds: float | None, waiting: int | None) -> Risk:
        """Return the class that a lock asks for at least. A time that nobody knows is a long one."""
        if seconds is None or seconds > self.high_seconds or (waiting or 0) > self.high_waiting:
            return Risk.HIGH
        if seconds >= self.controlled_seconds or (waiting or 0) > self.controlled_waiting:
            return Risk.CONTROLLED
        return Risk.SAFE


LIMITS = Limits()
