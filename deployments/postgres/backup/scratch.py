"""Databases that live as long as somebody looks into them. Their names say whose they are: none is forgotten."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from psycopg import sql

from deployments.postgres.connect import Session, Target, session

# A database that is dumped or restored may be huge, and what the connection leads to may be set to read only.
AS_ADMINISTRATOR = """
SELECT set_config('statement_timeout', '10min', false), set_config('default_transaction_read_only', 'off', false)
"""
NAME = re.compile(r"lkt_(?P<plane>[0-9a-f]{8})_(?P<purpose>[a-z]+)_(?P<job>\d+)_(?P<fence>\d+)")


class Purpose(StrEnum):
    """What a scratch database is for."""

    VERIFY = "verify"
    REHEARSE = "rehearse"
    TABLES = "tables"  # of a wish for single ones: its number in place of a job's
    RESTORE = "restore"  # until it is complete: then it gets a name by which it can be swapped in


@dataclass(frozen=True, slots=True)
class Scratch:
    """The name of a scratch database: of this control plane, made by this executor of this job."""

    plane: str
    purpose: Purpose
    job: int
    fence: int

    def __str__(self) -> str:
        """The name on the server, below 63 bytes."""
        return f"lkt_{self.plane}_{self.purpose}_{self.job}_{self.fence}"

    @classmethod
    def named(cls, control_plane_id: UUID, purpose: Purpose, *, job: int, fence: int) -> "Scratch":
        """Return the name of a new one."""
        return cls(control_plane_id.hex[:8], purpose, job, fence)

    @classmethod
    def of(cls, name: str) -> "Scratch | None":
        """Return what a name says, None if it is not that of a scratch database."""
        found = NAME.fullmatch(name)
        if found is None or found["purpose"] not in set(Purpose):
            return None
        return cls(found["plane"], Purpose(found["purpose"]), int(found["job"]), int(found["fence"]))


def drop_scratch(server: Target, scratch: Scratch, *, name: str) -> None:
    """Drop a scratch database, with whoever is in it; nothing happens if it is not there.

    `name` is that of the session. Raises what opening a session raises, and psycopg.Error.
    """
    with session(server, name=name) as opened:
        _drop(opened, scratch)


def drop_leftovers(
    server: Target,
    control_plane_id: UUID,
    *,
    purposes: Collection[Purpose] = tuple(Purpose),
    is_alive: Callable[[int, int], bool],
    name: str,
) -> list[str]:
    """Drop what executors left that are gone; return the names. `is_alive` is asked with job and fence.

    Raises what opening a session raises, and psycopg.Error.
    """
    dropped = []
    with session(server, name=name) as opened:
        for (found,) in opened.execute("SELECT datname::text FROM pg_database WHERE datname LIKE 'lkt\\_%'").fetchall():
            scratch = Scratch.of(found)
            if scratch is None or scratch.plane != control_plane_id.hex[:8] or scratch.purpose not in purposes:
                continue
            if not is_alive(scratch.job, scratch.fence):
                _drop(opened, scratch)
                dropped.append(found)
    return dropped


def _drop(opened: Session, scratch: Scratch) -> None:
    opened.execute(AS_ADMINISTRATOR)
    opened.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(str(scratch))))
