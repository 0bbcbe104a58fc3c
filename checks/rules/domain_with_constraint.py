"""domain-with-constraint: a domain that can refuse values makes every later column of it expensive."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    for seen in context.seen:
        tree = seen.statement.tree
        kinds = {one.enum("contype") for one in tree.each("constraints")} if tree.tag == "CreateDomainStmt" else set()
        if kinds & {"CONSTR_CHECK", "CONSTR_NOTNULL"}:
            yield Hit(
                seen.statement,
                f"Each column of {tree.dotted('domainname')} added to a table later rewrites that table, and each "
                "change of its condition blocks writes to all of them.",
            )


RULE = Rule(
    code="domain-with-constraint",
    title="Domain made with a constraint",
    severity=Severity.NOTE,
    group=Group.CONSTRAINTS,
    why="Making the domain costs nothing. Adding a column of it to a table rewrites the table, and its condition can "
    "only be changed for all tables at once.",
    blocks="Nothing now.",
    help="Use the base type, and a CHECK in each table: it can be added NOT VALID and validated without blocking.",
    source="measured on 14 to 18",
    judge=_judge,
    bad="CREATE DOMAIN positive AS integer CHECK (VALUE > 0);",
    good="CREATE DOMAIN positive AS integer;",
    is_style=True,
)
