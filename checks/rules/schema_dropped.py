"""schema-dropped: a whole schema, a database, or all that a role owns goes."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.names import quote, unqualified
from checks.rules._seen import tagged
from checks.words import listed


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "DropStmt", "DropOwnedStmt", "DropdbStmt"):
        tree, statement = seen.statement.tree, seen.statement
        if tree.tag == "DropdbStmt":
            yield Hit(statement, f"Database {quote(tree.text('dbname'))} and everything in it is gone for good.")
        elif tree.tag == "DropOwnedStmt":
            yield Hit(statement, "Everything in this database that the role owns is gone for good, tables included.")
        elif tree.enum("removeType") == "OBJECT_SCHEMA":
            for change in statement.changes:
                name = unqualified(change.name)
                if seen.before.is_complete and name not in seen.before.schemas:
                    continue
                inside = [one for one in seen.before.relations.values() if one.name.schema == name]
                if inside and all(seen.before.is_new(one.name) for one in inside):
                    continue
                tables = [str(one.name) for one in inside if one.is_table]
                what = listed(tables) if tables else "everything in it"
                if tree.enum("behavior") == "DROP_CASCADE":
                    yield Hit(statement, f"Schema {change.name} is gone for good, and with it {what}.")
                elif not seen.before.is_complete:
                    yield Hit(statement, f"Schema {change.name} is gone for good. If anything is in it, this fails.")


RULE = Rule(
    code="schema-dropped",
    title="Schema, database or everything of a role dropped",
    severity=Severity.WARNING,
    group=Group.TABLES,
    why="What goes is not named in the script: tables that its author never saw are dropped with the rest. Each is "
    "locked ACCESS EXCLUSIVE in the same transaction.",
    blocks="Reads and writes of every table in it, until the transaction ends.",
    help="Drop the objects one by one, by name, after a verified backup. Then drop the empty schema without CASCADE. "
    "A database is dropped by hand, never by a migration.",
    source="PostgreSQL manual, DROP SCHEMA, DROP OWNED, DROP DATABASE",
    judge=_judge,
    given="CREATE SCHEMA legacy;\nCREATE TABLE legacy.orders (id bigint PRIMARY KEY);",
    bad="DROP SCHEMA legacy CASCADE;",
    good="COMMENT ON SCHEMA legacy IS 'Unused; to be dropped after the next release';",
)
