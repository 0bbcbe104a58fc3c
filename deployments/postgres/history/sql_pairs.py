"""The history of SQL pairs, which have no tool of their own: `locktender.history`, written by the ledger."""

from deployments.postgres.connect import Session, Target
from deployments.postgres.history.base import Applied
from deployments.postgres.ledger import FORWARD, Entry


class SqlPairsHistory:
    """What the ledger's own rows say."""

    advisory_lock: int | None = None
    table: str = ""

    def applied(self, opened: Session, _target: Target) -> list[Applied]:
        """Return the migrations whose last entry is forward; empty where the schema is not installed yet."""
        if opened.execute("SELECT pg_catalog.to_regclass('locktender.history')").fetchone() == (None,):
            return []
        rows = opened.execute(
            "SELECT migration, checksum, direction FROM ("
            " SELECT DISTINCT ON (migration) id, migration, checksum, direction FROM locktender.history"
            " ORDER BY migration, id DESC) last ORDER BY id"
        ).fetchall()
        return [Applied(name, checksum) for name, checksum, direction in rows if direction == FORWARD]

    def is_applied(self, opened: Session, _target: Target, migration: str) -> bool:
        """Return whether the last entry of this migration is forward."""
        row = opened.execute(
            "SELECT direction FROM locktender.history WHERE migration = %s ORDER BY id DESC LIMIT 1", [migration]
        ).fetchone()
        return row is not None and row[0] == FORWARD

    def record(self, _opened: Session, _target: Target, _entry: Entry) -> None:
        """Write nothing more: the ledger's own row is the record."""
