"""enum-value-added: a value that no rollback can take away again."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import tagged


def _judge(context: Context) -> Iterator[Hit]:
    made = {one.statement.tree.dotted("typeName") for one in tagged(context, "CreateEnumStmt")}
    for seen in tagged(context, "AlterEnumStmt"):
        tree = seen.statement.tree
        name = tree.dotted("typeName")
        if not tree.text("oldVal") and name not in made:
            yield Hit(seen.statement, f"Once committed, '{tree.text('newVal')}' cannot be removed from {name} again.")


RULE = Rule(
    code="enum-value-added",
    title="Value added to an enum",
    severity=Severity.NOTE,
    group=Group.OBJECTS,
    why="PostgreSQL has no ALTER TYPE … DROP VALUE. An older application version that reads the new value may not "
    "know what to do with it.",
    blocks="Nothing: no table is locked.",
    help="Declare it irreversible, with its reason. Release code that can read the value before code that writes it.",
    source="PostgreSQL manual, ALTER TYPE: Notes; section 8.7.4 Implementation Details; measured on 14 to 18",
    judge=_judge,
    given="CREATE TYPE status AS ENUM ('open', 'closed');",
    bad="ALTER TYPE status ADD VALUE 'lost';",
    good="CREATE TYPE priority AS ENUM ('low', 'high');",
)
