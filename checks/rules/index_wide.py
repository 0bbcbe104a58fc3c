"""index-wide: an index over more columns than a search usually has."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import tagged

_MANY = 4


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "IndexStmt"):
        count = len(seen.statement.tree.each("indexParams"))
        if count >= _MANY and not seen.statement.tree.flag("unique"):
            yield Hit(seen.statement, f"This index has {count} key columns; a search rarely uses more than three.")


RULE = Rule(
    code="index-wide",
    title="Index over many columns",
    severity=Severity.NOTE,
    group=Group.INDEXES,
    is_style=True,
    why="A B-tree is entered by its leading columns. The more there are, the larger each entry, and the less often "
    "the last ones help.",
    blocks="Nothing.",
    help="Keep the columns that a query compares, in the order of equality first, range last. What a query only "
    "returns belongs into INCLUDE.",
    source="PostgreSQL manual, section 11.3 Multicolumn Indexes",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, a int, b int, c int, d int);",
    bad="CREATE INDEX CONCURRENTLY orders_all_idx ON orders (a, b, c, d);",
    good="CREATE INDEX CONCURRENTLY orders_some_idx ON orders (a, b) INCLUDE (c, d);",
)
