"""name-without-schema: which table is meant depends on the search path of whoever runs the file."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.names import parts


def _judge(context: Context) -> Iterator[Hit]:
    for seen in context.seen:
        if all(change.verb is Verb.READ for change in seen.statement.changes):
            continue
        bare = next((name for name in seen.statement.relations if len(parts(name)) == 1), "")
        if bare:
            yield Hit(seen.statement, f"{bare} has no schema: the search path decides which one is meant.")


RULE = Rule(
    code="name-without-schema",
    title="Name without a schema",
    severity=Severity.NOTE,
    group=Group.SCRIPT,
    is_style=True,
    why="The search path differs between roles and databases. The same file then changes another table, or makes it "
    "in another schema.",
    blocks="Nothing.",
    help="Write the schema before the name.",
    source="PostgreSQL manual, section 5.10.3 The Schema Search Path",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY);",
    bad="ALTER TABLE orders ADD COLUMN note text;",
    good="ALTER TABLE public.orders ADD COLUMN note text;",
)
