"""index-dropped-first: an index is dropped before the one that takes its place is built."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.model import Index, Relation
from checks.names import unqualified
from checks.rules._seen import tagged


def _judge(context: Context) -> Iterator[Hit]:
    if context.is_one_transaction:
        return  # nobody sees the state between the two; what they lock is found by other rules
    gone: list[tuple[Seen, Relation, Index]] = []
    for seen in tagged(context, "DropStmt", "IndexStmt"):
        if seen.statement.tree.tag == "DropStmt":
            gone.extend((seen, table, index) for table, index in _dropped(seen) if not seen.before.is_new(table.name))
            continue
        (change,) = seen.statement.changes
        place, leading = seen.before.place(change.table), next(map(unqualified, change.columns), "")
        for before, table, index in gone:
            if table.name == place and index.columns[:1] == (leading,) and leading:
                made = change.name or "the new one"
                yield Hit(
                    before.statement,
                    f"Queries of {change.table} that use {index.name} have no index until {made} is built "
                    f"(line {seen.statement.line}).",
                    f"{seen.statement.sql};\n{before.statement.sql};" if change.name != index.name else "",
                )
        gone = [one for one in gone if one[1].name != place]


def _dropped(seen: Seen) -> Iterator[tuple[Relation, Index]]:
    if seen.statement.tree.enum("removeType") != "OBJECT_INDEX":
        return
    for change in seen.statement.changes:
        table = seen.before.find_index(change.name)
        index = table.indexes[unqualified(change.name)] if table else None
        if table and index and index.is_valid:
            yield table, index


RULE = Rule(
    code="index-dropped-first",
    title="Index dropped before its successor is built",
    severity=Severity.WARNING,
    group=Group.INDEXES,
    why="Between the two statements no index serves the queries that need it: each reads the whole table. If the "
    "build fails, it stays so.",
    blocks="Nothing by a lock. Queries that relied on the index are slow until the new one is there.",
    help="Build the new index first, under another name, then drop the old one.",
    source="PostgreSQL manual, section 11.12 Examining Index Usage; the order is a matter of logic",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint, at timestamptz);\n"
    "CREATE INDEX orders_user_idx ON orders (user_id);",
    bad="DROP INDEX CONCURRENTLY orders_user_idx;\n"
    "CREATE INDEX CONCURRENTLY orders_user_at_idx ON orders (user_id, at);",
    good="CREATE INDEX CONCURRENTLY orders_user_at_idx ON orders (user_id, at);\n"
    "DROP INDEX CONCURRENTLY orders_user_idx;",
)
