"""table-dropped: a table and its data go."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.model import Kind
from checks.names import derived
from checks.rules._seen import is_absent, is_new, others, tagged
from checks.words import listed


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "DropStmt"):
        dropped = [change for change in seen.statement.changes if change.table and not change.name]
        also = _also(seen, *(change.table for change in dropped))
        for change in dropped:
            cascades = change.verb is Verb.DROP_CASCADE
            if is_new(seen, change.table) or is_absent(seen, change.table):
                continue
            yield Hit(
                seen.statement,
                f"Table {change.table} and all its rows are gone for good."
                + (" So is everything that depends on it." if cascades else "")
                + also,
                f"-- out of reach, but not lost; drop it when nobody has missed it\n"
                f"ALTER TABLE {change.table} RENAME TO {derived(change.table, 'dropped')};",
            )


def _also(seen: Seen, *dropped: str) -> str:
    """Return a sentence about the tables that are locked as well."""
    known = seen.before.relations
    found = [(lock.relation, known.get(lock.relation)) for lock in others(seen, *dropped)]
    # Who uses a sequence of the table uses the table.
    peers = [(name, one.kind if one else Kind.TABLE) for name, one in found if not one or one.kind is not Kind.SEQUENCE]
    views = [f"{kind} {name}" for name, kind in peers if kind in _VIEWS]
    tables = [str(name) for name, kind in peers if kind not in _VIEWS]
    told = f" Reads and writes of {listed(tables)} wait too, because of a foreign key or partition." if tables else ""
    return told + (f" Gone with it: {listed(views)}." if views else "")


_VIEWS = frozenset({Kind.VIEW, Kind.MATERIALIZED})


RULE = Rule(
    code="table-dropped",
    title="Table dropped",
    severity=Severity.WARNING,
    group=Group.TABLES,
    why="A rollback script can create the table again, but not its rows. The drop also takes an ACCESS EXCLUSIVE lock "
    "on every table joined to it by a foreign key.",
    blocks="Reads and writes of the table and of every table joined to it by a foreign key, for a moment.",
    help="Rename the table away first, wait a release, then drop it with a verified backup. Drop its foreign keys one "
    "by one before.",
    source="PostgreSQL manual, DROP TABLE; locks of the other tables measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders_archive (id bigint PRIMARY KEY);",
    bad="DROP TABLE orders_archive;",
    good="COMMENT ON TABLE orders_archive IS 'Unused; to be dropped after the next release';",
)
