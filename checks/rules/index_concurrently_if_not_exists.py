"""index-concurrently-if-not-exists: IF NOT EXISTS is satisfied by the broken index of a failed attempt."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.names import qualified
from checks.rules._seen import tagged


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "IndexStmt"):
        wanted = seen.statement.concurrent_index
        if wanted is None or not wanted.if_exists_or_not:
            continue
        (change,) = seen.statement.changes
        create = change.definition.replace("IF NOT EXISTS ", "", 1)
        yield Hit(
            seen.statement,
            f"If an earlier build of {change.name} failed, its INVALID leftover exists: this statement then "
            "does nothing, and reports success.",
            f"-- only if no valid index of that name is in use\n"
            f"DROP INDEX CONCURRENTLY IF EXISTS {qualified(wanted.schema, wanted.name)};\n{create};"
            if create
            else "",
        )


RULE = Rule(
    code="index-concurrently-if-not-exists",
    title="CONCURRENTLY together with IF NOT EXISTS",
    severity=Severity.WARNING,
    group=Group.INDEXES,
    why="A concurrent build that fails leaves an INVALID index behind. It costs every write and helps no read, and IF "
    "NOT EXISTS takes it for the index that was wanted.",
    blocks="Nothing. The index is missing afterwards, and nobody is told.",
    help="Drop the leftover first, then create without IF NOT EXISTS. First make sure that no valid index of that "
    "name is in use.",
    source="PostgreSQL manual, CREATE INDEX: Building Indexes Concurrently; measured",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, note text);",
    bad="CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_note_idx ON orders (note);",
    good="DROP INDEX CONCURRENTLY IF EXISTS orders_note_idx;\n"
    "CREATE INDEX CONCURRENTLY orders_note_idx ON orders (note);",
)
