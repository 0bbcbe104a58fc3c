"""table-without-primary-key: rows that nothing tells apart."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.model import ConstraintKind, Kind
from checks.rules._seen import tagged


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "CreateStmt"):
        tree = seen.statement.tree
        made = context.after.find(tree.relation())
        if made is None or made.kind is Kind.FOREIGN or tree.get("partbound") or not context.after.is_new(made.name):
            continue
        if not any(one.kind is ConstraintKind.PRIMARY_KEY for one in made.constraints.values()):
            yield Hit(seen.statement, f"{tree.relation()} has no primary key.")


RULE = Rule(
    code="table-without-primary-key",
    title="Table without a primary key",
    severity=Severity.NOTE,
    group=Group.TABLES,
    is_style=True,
    why="Without a key a duplicate row cannot be deleted alone, a batch has nothing to go by, and logical replication "
    "of UPDATE and DELETE needs the whole row.",
    blocks="Nothing.",
    help="Give it a primary key: id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, or the columns that name a row.",
    source="PostgreSQL manual, section 5.5.4 Primary Keys; section 29.1 Publication",
    judge=_judge,
    bad="CREATE TABLE visits (at timestamptz, page text);",
    good="CREATE TABLE visits (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz, page text);",
)
