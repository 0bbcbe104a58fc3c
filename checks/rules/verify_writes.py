"""verify-writes: a verify script that may do more than read. The report asks it of verify scripts only."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    for statement in context.script.statements:
        if any(change.verb not in {Verb.READ, Verb.SETTING} for change in statement.changes):
            yield Hit(statement, f"{statement.kind} may do more than read, and this is a verify script.")


RULE = Rule(
    code="verify-writes",
    title="Verify script that may do more than read",
    severity=Severity.NOTE,
    group=Group.SCRIPT,
    why="A verify script runs before and after a migration, and may run again at any time. What it changes is in no "
    "plan, and nobody has approved it.",
    blocks="Nothing by itself.",
    help="Only read. A call of a function that is not built in may change anything; query what it would look at.",
    source="docs/verify.md",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric, checked boolean);",
    bad="UPDATE orders SET checked = true WHERE id = 1;",
    good="SELECT count(*) FROM orders WHERE total IS NULL;",
)
