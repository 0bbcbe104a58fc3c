"""How much the application may pay for us: every limit of the guard, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from checks.budget import DEFAULT

FEWEST_SESSIONS, MOST_SESSIONS = 2, 20


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of one plan; the defaults are those of a protected environment. None is no limit.

    What a replica is behind, and what WAL is kept back, counts from where it was when the file began: a replica that is
    delayed on purpose, or a slot that nobody reads, was there before us. A full server counts only while somebody waits
    for us: to stop would free no other connection. What the server does not tell trips nothing, and is shown as such.
    """

    oldest_seconds: float | None = DEFAULT["oldest_seconds"]  # the one that waits longest
    total_seconds: float | None = DEFAULT["total_seconds"]  # all that wait in one try, in sum
    tries_seconds: float | None = DEFAULT["tries_seconds"]  # in all tries of one file
    sessions: int | None = None  # at once; None is a fifth of the server's connections, 2 to 20
    connections_percent: float | None = DEFAULT["connections_percent"]  # in use, of those that are for everybody
    replica_seconds: float | None = DEFAULT["replica_seconds"]
    replica_bytes: float | None = DEFAULT["replica_bytes"]
    wal_bytes: float | None = DEFAULT["wal_bytes"]  # kept back for the slot that is furthest behind
    free_disk_bytes: float | None = DEFAULT["free_disk_bytes"]  # at least

    @classmethod
    def planned(cls, budget: Mapping[str, Any]) -> Self:
        """Return the budget of a plan: what it does not name, nobody was asked about, and it is no limit."""
        named: dict[str, Any] = {one.name: budget.get(one.name) for one in fields(cls)}
        return cls(**named)

    def most_sessions(self, connections: int) -> int:
        """Return how many may wait at once on a server with so many connections."""
        if self.sessions is not None:
            return self.sessions
        return max(FEWEST_SESSIONS, min(MOST_SESSIONS, connections // 5))


@dataclass(frozen=True, slots=True)
class Over:
    """A limit that was passed: its name in the budget, what was measured, what was allowed, and a sentence."""

    limit: str
    measured: float
    allowed: float
    text: str

    def as_evidence(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {"limit": self.limit, "measured": self.measured, "allowed": self.allowed, "text": self.text}
