"""index-unique-on-rows: a unique index on a table that may hold duplicates already."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.names import quote, unqualified
from checks.rules._seen import is_new, tagged
from checks.tree import Tree


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "IndexStmt"):
        tree = seen.statement.tree
        (change,) = seen.statement.changes
        if not change.unique or is_new(seen, change.table) or _is_unique_already(seen):
            continue
        what = (
            "leaves an INVALID index behind that still refuses new duplicates"
            if tree.flag("concurrent")
            else "fails, and the migration with it"
        )
        yield Hit(
            seen.statement,
            f"If {change.table} holds duplicates, building {change.name or 'the index'} {what}.",
            _query(tree, change.table),
        )


def _is_unique_already(seen: Seen) -> bool:
    """True when a smaller set of the same columns is unique by an index that is there."""
    tree = seen.statement.tree
    table = seen.before.find(tree.relation())
    wanted = {unqualified(name) for name in seen.statement.changes[0].columns}
    return table is not None and any(
        one.is_unique and one.is_valid and not one.predicate and "" not in one.columns and {*one.columns} <= wanted
        for one in table.indexes.values()
    )


def _query(tree: Tree, table: str) -> str:
    """Return the query that shows which values stand in the way."""
    keys = [_key(item) for item in tree.each("indexParams")]
    if not all(keys):
        return ""
    where = tree.get("whereClause")
    conditions = [] if tree.flag("nulls_not_distinct") else [f"{key} IS NOT NULL" for key in keys]
    conditions += [f"({where.sql()})"] if where is not None and where.sql() else []
    filtered = f"WHERE {' AND '.join(conditions)}\n" if conditions else ""
    columns = ", ".join(keys)
    return (
        "-- duplicates; none may be left before the index is built\n"
        f"SELECT {columns}, count(*)\nFROM {table}\n{filtered}"
        f"GROUP BY {columns}\nHAVING count(*) > 1\nLIMIT 20;"
    )


def _key(item: Tree) -> str:
    expression = item.get("expr")
    return f"({expression.sql()})" if expression and expression.sql() else quote(item.text("name"))


RULE = Rule(
    code="index-unique-on-rows",
    title="Unique index on existing rows",
    severity=Severity.NOTE,
    group=Group.INDEXES,
    why="The build fails at the first duplicate. A concurrent build fails after most of its work, and leaves an "
    "INVALID index that no query uses but every write has to satisfy.",
    blocks="Nothing by itself.",
    help="Look for duplicates before, with the query given here, and decide which row stays. Look again just before "
    "the build: until it is done, new ones can appear.",
    source="PostgreSQL manual, CREATE INDEX: Building Indexes Concurrently; measured",
    judge=_judge,
    given="CREATE TABLE users (id bigint PRIMARY KEY, email text);",
    bad="CREATE UNIQUE INDEX CONCURRENTLY users_email_key ON users (email);",
    good="CREATE INDEX CONCURRENTLY users_email_idx ON users (email);",
)
