"""enum-created: a list of values that only ever grows."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import tagged


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "CreateEnumStmt"):
        name = seen.statement.tree.dotted("typeName")
        yield Hit(seen.statement, f"Values can be added to {name} and renamed, never removed or put in another order.")


RULE = Rule(
    code="enum-created",
    title="Enum type",
    severity=Severity.NOTE,
    group=Group.OBJECTS,
    is_style=True,
    why="To remove a value or to change the order, the type is made anew and every column of it is rewritten.",
    blocks="Nothing.",
    help="Where the values change with the business, use a table of them with a foreign key, or text with a CHECK.",
    source="PostgreSQL manual, section 8.7.4 Implementation Details",
    judge=_judge,
    bad="CREATE TYPE status AS ENUM ('open', 'closed');",
    good="CREATE TABLE statuses (name text PRIMARY KEY);",
)
