"""What each layout's own tool writes into the database, and how it is read: it decides what is applied."""

from dataclasses import dataclass
from typing import Protocol

from deployments.postgres.connect import Session
from deployments.postgres.ledger import FORWARD, Entry


@dataclass(frozen=True, slots=True)
class Applied:
    """One migration the layout's history calls applied, with the checksum its tool stored ("" if it stores none)."""

    name: str
    checksum: str


class LayoutHistory(Protocol):
    """The history of one migration tool in a target."""

    advisory_lock: int | None  # the key its own runner holds; None if it has none

    def applied(self, opened: Session) -> list[Applied]:
        """Return what is applied, in the order it was."""

    def record(self, opened: Session, entry: Entry) -> None:
        """Write what the tool itself would write, in the transaction that ran the script."""


class SqlPairsHistory:
    """SQL pairs have no tool of their own: `locktender.history` is their history, written by the ledger."""

    advisory_lock: int | None = None

    def applied(self, opened: Session) -> list[Applied]:
        """Return the migrations whose last entry is forward; empty where the schema is not installed yet."""
        if opened.execute("SELECT to_regclass('locktender.history')").fetchone() == (None,):
            return []
        rows = opened.execute(
            "SELECT migration, checksum, direction FROM ("
            " SELECT DISTINCT ON (migration) id, migration, checksum, direction FROM locktender.history"
            " ORDER BY migration, id DESC) last ORDER BY id"
        ).fetchall()
        return [Applied(name, checksum) for name, checksum, direction in rows if direction == FORWARD]

    def record(self, _opened: Session, _entry: Entry) -> None:
        """Write nothing more: the ledger's own row is the record."""


HISTORIES: dict[str, LayoutHistory] = {"sql-pairs": SqlPairsHistory()}
