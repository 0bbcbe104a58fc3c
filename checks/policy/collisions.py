"""What stands in the way of a migration before it begins, and whether the policy warns, waits for it, or refuses."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Collision(StrEnum):
    """One kind of thing that a migration would run into."""

    LONG_TRANSACTION = "long-transaction"
    RUNNING_DUMP = "running-dump"
    PREPARED_TRANSACTION = "prepared-transaction"
    OLD_SNAPSHOT = "old-snapshot"  # of a slot or a standby: it holds back what VACUUM may remove
    OTHER_CHANGE = "other-change"  # somebody else changes tables
    WRAPAROUND_VACUUM = "wraparound-vacuum"
    LOW_DISK = "low-disk"
    REPLICA_LAG = "replica-lag"
    WAL_KEPT = "wal-kept"


class Response(StrEnum):
    """What a policy does about it."""

    WARN = "warn"  # it is named, and the run goes on
    WAIT = "wait"  # for a while, then the run is refused
    REFUSE = "refuse"


# What passes by itself is waited for; what needs a person is refused at once, before anything was backed up or changed.
PROTECTED: dict[Collision, Response] = {
    Collision.LONG_TRANSACTION: Response.WAIT,
    Collision.RUNNING_DUMP: Response.WAIT,
    Collision.PREPARED_TRANSACTION: Response.REFUSE,
    Collision.OLD_SNAPSHOT: Response.WARN,
    Collision.OTHER_CHANGE: Response.WAIT,
    Collision.WRAPAROUND_VACUUM: Response.WAIT,
    Collision.LOW_DISK: Response.REFUSE,
    Collision.REPLICA_LAG: Response.WAIT,
    Collision.WAL_KEPT: Response.REFUSE,
}
ALL_WARN: dict[Collision, Response] = dict.fromkeys(Collision, Response.WARN)
WAIT_SECONDS = 600
LONGEST_WAIT_SECONDS = 3600


def responses_of(value: object, *, protected: bool) -> dict[Collision, Response]:
    """Return what a policy's JSON does about each kind: what it does not name stays at the default.

    Raises ValueError with what is wrong with it.
    """
    if not isinstance(value, Mapping) or not set(value) <= set(Collision):
        raise ValueError(f"collisions are {', '.join(Collision)}")
    if not all(isinstance(one, str) and one in set(Response) for one in value.values()):
        raise ValueError(f"what is done about a collision is {', '.join(Response)}")
    default = PROTECTED if protected else ALL_WARN
    return default | {Collision(kind): Response(done) for kind, done in value.items()}
