"""table-truncated: every row of a table that is in use goes at once."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import is_new, others, tagged
from checks.words import listed


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "TruncateStmt"):
        every = [change.table for change in seen.statement.changes]
        named = [table for table in every if not is_new(seen, table)]
        also = [str(lock.relation) for lock in others(seen, *every)]
        if not named and not also:
            continue
        cascades = seen.statement.tree.enum("behavior") == "DROP_CASCADE"
        told = f"TRUNCATE removes every row of {listed([*named, *also])} and lets nobody read or write meanwhile."
        if cascades and not seen.before.is_complete:
            told += " CASCADE empties every table that refers to it too; which ones is not known here."
        yield Hit(seen.statement, told)


RULE = Rule(
    code="table-truncated",
    title="Table emptied",
    severity=Severity.WARNING,
    group=Group.TABLES,
    why="TRUNCATE takes ACCESS EXCLUSIVE, fires no ON DELETE trigger, and is seen at once by transactions that began "
    "before: to them the table is empty. CASCADE goes on to every table that refers to it.",
    blocks="Reads and writes of every table that is emptied, until the transaction ends.",
    help="Delete in batches by key, or rename the table away and make a new one. If it must be TRUNCATE, name every "
    "table and leave out CASCADE. A rollback script cannot bring the rows back.",
    source="PostgreSQL manual, TRUNCATE: Notes; section 13.6 Caveats",
    judge=_judge,
    given="CREATE TABLE sessions (id bigint PRIMARY KEY, ended_at timestamptz);",
    bad="TRUNCATE sessions;",
    good="CREATE TABLE sessions_new (LIKE sessions INCLUDING ALL);",
)
