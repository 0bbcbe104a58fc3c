"""table-exists-differently: CREATE TABLE IF NOT EXISTS finds a table of that name with other columns."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.names import quote
from checks.rules._seen import tagged
from checks.words import listed


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "CreateStmt"):
        tree = seen.statement.tree
        if not tree.flag("if_not_exists") or (found := seen.before.find(tree.relation())) is None:
            continue
        wanted = _columns(seen)
        missing = [quote(name) for name in wanted if name not in found.columns]
        if found.columns and missing:
            yield Hit(
                seen.statement,
                f"{tree.relation()} exists already, so this does nothing: {listed(missing)} will not be there.",
                "\n".join(
                    f"ALTER TABLE {found.name} ADD COLUMN {quote(name)} {kind};"
                    for name, kind in wanted.items()
                    if name not in found.columns and kind
                ),
            )


def _columns(seen: Seen) -> dict[str, str]:
    """Return the columns written in a CREATE TABLE, with their types as SQL."""
    parts = [part for part in seen.statement.tree.each("tableElts") if part.tag == "ColumnDef"]
    kinds = [part.get("typeName") for part in parts]
    return {part.text("colname"): kind.sql() if kind else "" for part, kind in zip(parts, kinds, strict=True)}


RULE = Rule(
    code="table-exists-differently",
    title="IF NOT EXISTS finds another table",
    severity=Severity.WARNING,
    group=Group.TABLES,
    why="IF NOT EXISTS looks at the name only. A table of that name with other columns is left as it is, the "
    "statement reports success, and the difference is noticed when the application fails.",
    blocks="Nothing. What was asked for is not there afterwards.",
    help="Write CREATE TABLE without IF NOT EXISTS, so that a surprise is an error. What the existing table lacks is "
    "added with ALTER TABLE.",
    source="PostgreSQL manual, CREATE TABLE: Parameters, IF NOT EXISTS",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY);",
    bad="CREATE TABLE IF NOT EXISTS orders (id bigint PRIMARY KEY, note text);",
    good="ALTER TABLE orders ADD COLUMN note text;",
)
