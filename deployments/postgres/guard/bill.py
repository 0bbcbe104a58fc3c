"""The bill: what the application paid for one file or dump, as far as it was seen."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from checks.normalised import shape_of
from checks.words import plural
from deployments.postgres.guard.budget import Budget, Over
from deployments.postgres.guard.readings import InTheWay, Replica, Seen, Server, Waiting

MOST_NAMED = 10
MOST_KEPT = 500  # names that are told apart; what more there is comes to the others
A_MOMENT = 0.01  # seconds after a limit that a look is due: at the limit itself nothing is over it
OTHERS = "others"
NOT_TOLD = "not told"


@dataclass(slots=True)
class Paid:
    """What one query, table or user paid."""

    seconds: float = 0.0
    sessions: set[int] = field(default_factory=set)
    query_id: int | None = None


@dataclass(slots=True)
class Bill:
    """What the application paid for one file: `total_seconds` in this try, `earlier_seconds` in those before.

    A lower bound: of a wait that began and ended between two looks nothing is known.
    """

    waiting: int = 0
    most_waiting: int = 0
    oldest_seconds: float = 0.0
    total_seconds: float = 0.0
    earlier_seconds: float = 0.0
    parts_seconds: float = 0.0  # in parts of the file that are judged for themselves, as batches are
    tries: int = 1
    in_our_way: list[InTheWay] = field(default_factory=list)  # who is now
    blockers: list[InTheWay] = field(default_factory=list)  # who was last
    in_last_try: list[InTheWay] = field(default_factory=list)  # the same of this try alone
    queries: dict[str, Paid] = field(default_factory=dict)  # by shape
    tables: dict[str, Paid] = field(default_factory=dict)
    users: dict[tuple[str, str], Paid] = field(default_factory=dict)  # by user and application
    server: Server | None = None  # now
    worst: dict[str, float] = field(default_factory=dict)  # by limit of the budget
    over: Over | None = None
    _open: dict[tuple[int, float], float] = field(default_factory=dict)
    _at_begin: Server | None = None
    _replicas_at_begin: dict[tuple[str, int], Replica] = field(default_factory=dict)
    _now: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        count = f"{self.most_waiting} session{'' if self.most_waiting == 1 else 's'}"
        told = f"{count} × {self.oldest_seconds:.1f} s, {self.all_seconds:.1f} s in all"  # noqa: RUF001 # times
        return f"{told}, for {', '.join(tables)}" if (tables := list(_largest(self.tables))[:3]) else told

    @property
    def all_seconds(self) -> float:
        """What was paid for the file in all: in this try, in those before, and in its parts."""
        return self.total_seconds + self.earlier_seconds + self.parts_seconds

    def absorb(self, part: "Bill") -> None:
        """Add the bill of a part of the file. It does not count for what the tries of the rest may cost."""
        self.most_waiting = max(self.most_waiting, part.most_waiting)
        self.oldest_seconds = max(self.oldest_seconds, part.oldest_seconds)
        self.parts_seconds += part.all_seconds
        self.in_our_way, self.blockers = part.in_our_way, part.blockers or self.blockers
        for mine, theirs in ((self.queries, part.queries), (self.tables, part.tables), (self.users, part.users)):
            _absorb(mine, theirs)
        self.server = part.server or self.server
        for name, value in part.worst.items():
            worse = min if name == "free_disk_bytes" else max
            self.worst[name] = worse(self.worst.get(name, value), value)

    def next_try(self) -> None:
        """Begin another try of the same file, with everything that was paid before."""
        self.earlier_seconds += self.total_seconds
        self.total_seconds, self.waiting, self.tries = 0.0, 0, self.tries + 1
        self.in_our_way, self.in_last_try, self.over = [], [], None
        self._open.clear()

    def add(self, seen: Seen) -> None:
        """Take in one look."""
        self.waiting = len(seen.waiting)
        self.most_waiting = max(self.most_waiting, self.waiting)
        still = {}
        for one in seen.waiting:
            key = (one.pid, one.since)
            before = self._open.get(key, 0.0)
            still[key] = paid = max(before, one.seconds)
            self.oldest_seconds = max(self.oldest_seconds, paid)
            self.total_seconds += paid - before
            self._charge(one, paid - before)
        self._open = still
        self.in_our_way = list(seen.in_our_way)
        self.blockers = self.in_our_way or self.blockers
        self.in_last_try = self.in_our_way or self.in_last_try

    def _charge(self, one: Waiting, seconds: float) -> None:
        shape = NOT_TOLD if one.query in {"", "<insufficient privilege>"} else shape_of(one.query)
        who = (one.user, one.application)
        for kept, key in ((self.queries, shape), (self.tables, one.relation or NOT_TOLD)):
            paid = kept.setdefault(key if key in kept or len(kept) < MOST_KEPT else OTHERS, Paid())
            paid.seconds += seconds
            paid.sessions.add(one.pid)
            paid.query_id = paid.query_id or one.query_id
        paid = self.users.setdefault(who if who in self.users or len(self.users) < MOST_KEPT else ("", OTHERS), Paid())
        paid.seconds += seconds
        paid.sessions.add(one.pid)

    def add_server(self, server: Server) -> None:
        """Take in how the server is; what it was at first is what growth is counted from."""
        self.server = server
        self._at_begin = self._at_begin or server
        worst = {"connections_percent": 100 * server.connections / max(1, server.most_connections)}
        for one in server.replicas:
            begin = self._replicas_at_begin.setdefault(one.key, one)
            if one.seconds is not None:
                grown = one.seconds - (begin.seconds or 0.0)
                worst["replica_seconds"] = max(worst.get("replica_seconds", 0.0), grown)
            if one.bytes is not None:
                worst["replica_bytes"] = max(worst.get("replica_bytes", 0.0), one.bytes - (begin.bytes or 0))
        worst["wal_bytes"] = max(0.0, server.wal_bytes - self._at_begin.wal_bytes)
        for name, value in worst.items():
            self.worst[name] = max(self.worst.get(name, 0.0), value)
        if server.free_disk_bytes is not None:
            self.worst["free_disk_bytes"] = min(
                self.worst.get("free_disk_bytes", server.free_disk_bytes), server.free_disk_bytes
            )
        self._now = worst

    def judge(self, budget: Budget, *, connections: int) -> Over | None:
        """Return the limit that is passed, None if none is. Keeps it."""
        if self.over is None:
            self.over = next(self._passed(budget, connections), None)
        return self.over

    def pause(self, budget: Budget, interval: float) -> float:
        """Return the seconds until the next look: the interval, or less if those who wait now would be over it before.

        A look that comes late is paid by the application on top of the budget.
        """
        if not self._open or self.over is not None:
            return interval
        left = [interval - A_MOMENT]
        if budget.oldest_seconds is not None:
            left.append(budget.oldest_seconds - max(self._open.values()))
        if budget.total_seconds is not None:
            left.append((budget.total_seconds - self.total_seconds) / len(self._open))
        return max(0.0, min(left)) + A_MOMENT

    def _passed(self, budget: Budget, connections: int) -> Iterator[Over]:
        most = budget.most_sessions(connections)
        for name, told in BLOCKING_LIMITS.items():
            limit, paid = getattr(budget, name), getattr(self, name)
            if limit is not None and paid > limit:
                yield _over(name, paid, limit, told)
        tries = self.total_seconds + self.earlier_seconds
        if budget.tries_seconds is not None and self.tries > 1 and tries > budget.tries_seconds:
            told = "in all tries together they waited {} s, at most {} s"
            yield _over("tries_seconds", tries, budget.tries_seconds, told)
        if self.waiting > most:
            told = f"{{}} {plural(self.waiting, 'session')} waited at once, at most {{}}"
            yield _over("sessions", self.waiting, most, told)
        yield from self._passed_by_server(budget)

    def _passed_by_server(self, budget: Budget) -> Iterator[Over]:
        now = self._now
        for name, told in SERVER_LIMITS.items():
            limit = getattr(budget, name)
            is_for_us = name != "connections_percent" or self.waiting > 0
            if limit is not None and is_for_us and now.get(name, 0.0) > limit:
                yield _over(name, now[name], limit, told)
        free = self.server.free_disk_bytes if self.server else None
        if budget.free_disk_bytes is not None and free is not None and free < budget.free_disk_bytes:
            yield _over(
                "free_disk_bytes", free, budget.free_disk_bytes, "the server's disk had {} bytes free, at least {}"
            )

    def as_progress(self) -> dict[str, Any]:
        """Return who waits now and what it came to so far, as JSON values; durations in seconds."""
        return {
            "waiting": self.waiting,
            "most_waiting": self.most_waiting,
            "oldest_seconds": self.oldest_seconds,  # not rounded: what is over its limit has to look so
            "total_seconds": self.total_seconds,
            "earlier_seconds": self.earlier_seconds + self.parts_seconds,
            "tries": self.tries,
            "in_our_way": [one.as_values() for one in self.in_our_way],
            "last_in_our_way": [one.as_values() for one in self.blockers],
            "server": self._server(),
        }

    def as_evidence(self) -> dict[str, Any]:
        """Return the bill as JSON values, the largest first; durations in seconds. No text holds a value of others."""
        return {
            "most_waiting": self.most_waiting,
            "oldest_seconds": round(self.oldest_seconds, 3),
            "total_seconds": round(self.total_seconds, 3),
            "earlier_seconds": round(self.earlier_seconds + self.parts_seconds, 3),
            "tries": self.tries,
            "over": self.over.as_evidence() if self.over else None,
            "queries": [
                {"query": shape, "query_id": None if paid.query_id is None else str(paid.query_id), **_told(paid)}
                for shape, paid in _largest(self.queries).items()
            ],
            "tables": [{"table": name, **_told(paid)} for name, paid in _largest(self.tables).items()],
            "users": [
                {"user": user, "application": name, **_told(paid)}
                for (user, name), paid in _largest(self.users).items()
            ],
            "applications": sorted({name for _, name in self.users if name}),
            "in_our_way": [one.as_values() for one in self.blockers],
            "server": self._server(),
        }

    def _server(self) -> dict[str, Any] | None:
        """Return the worst that server and replicas were at; None is not told."""
        if self.server is None:
            return None
        lags = {
            "seconds": self._worst("replica_seconds", digits=1),
            "bytes": self._worst("replica_bytes"),
            "count": len(self.server.replicas),
        }
        return {
            "connections_percent": self._worst("connections_percent"),
            "replica": lags,
            "wal_bytes": self._worst("wal_bytes"),
            "free_disk_bytes": self._worst("free_disk_bytes"),
        }

    def _worst(self, name: str, *, digits: int | None = None) -> float | None:
        return None if name not in self.worst else round(self.worst[name], digits)


BLOCKING_LIMITS = {
    "oldest_seconds": "a session waited {} s, at most {} s",
    "total_seconds": "all waited {} s in sum, at most {} s",
}
SERVER_LIMITS = {
    "connections_percent": "{} % of the server's connections were in use while sessions waited, at most {} %",
    "replica_seconds": "a replica fell {} s behind, at most {} s",
    "replica_bytes": "a replica fell {} bytes behind, at most {}",
    "wal_bytes": "a replication slot kept back {} bytes of WAL, at most {}",
}


def _over(limit: str, measured: float, allowed: float, told: str) -> Over:
    digits = 1 if limit.endswith("_seconds") else 0
    shown = [f"{value:,.{digits}f}" for value in (measured, allowed)]
    if shown[0] == shown[1] and digits:
        shown[0] = f"{measured:,.3f}"
    return Over(limit, round(measured, 3), allowed, told.format(*shown))


def _absorb(mine: dict[Any, Paid], theirs: dict[Any, Paid]) -> None:
    for name, paid in theirs.items():
        one = mine.get(name) or mine.setdefault(name if len(mine) < MOST_KEPT else OTHERS, Paid())
        one.seconds += paid.seconds
        one.sessions |= paid.sessions
        one.query_id = one.query_id or paid.query_id


def _largest(paid: dict[Any, Paid]) -> dict[Any, Paid]:
    return dict(sorted(paid.items(), key=lambda one: -one[1].seconds)[:MOST_NAMED])


def _told(paid: Paid) -> dict[str, Any]:
    return {"sessions": len(paid.sessions), "seconds": round(paid.seconds, 3)}
