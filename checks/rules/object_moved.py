"""object-moved: something gets another schema, so the name by which others find it is no more."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.names import parts, quote
from checks.rules._seen import is_new, is_there_at_the_end, tagged


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "AlterObjectSchemaStmt", "RenameStmt"):
        tree, statement = seen.statement.tree, seen.statement
        if tree.tag == "RenameStmt":
            if tree.enum("renameType") == "OBJECT_SCHEMA":
                old, new = quote(tree.text("subname")), quote(tree.text("newname"))
                yield Hit(statement, f"From the commit on, nothing in schema {old} is found there: it is called {new}.")
            continue
        target = quote(tree.text("newschema"))
        relation = tree.relation()
        if not relation:
            yield Hit(statement, f"Running code that does not look into schema {target} no longer finds what is moved.")
        elif not is_new(seen, relation) and not is_there_at_the_end(context, seen, relation):
            moved = f"{target}.{parts(relation)[-1]}"
            view = f"CREATE VIEW {seen.before.place(relation)} AS SELECT * FROM {moved};"  # noqa: S608 - to be read
            yield Hit(
                statement,
                f"From the commit on, running code finds {relation} only as {moved}.",
                f"-- in one transaction: the old name stays, as a view; grant on it what was granted\n"
                f"ALTER TABLE {relation} SET SCHEMA {target};\n{view}"
                if tree.enum("objectType") == "OBJECT_TABLE"
                else "",
            )


RULE = Rule(
    code="object-moved",
    title="Moved to another schema",
    severity=Severity.WARNING,
    group=Group.TABLES,
    why="Running code finds a table, function or type by its schema or by its search path. After the move one of the "
    "application versions that run side by side looks in the wrong place. Function bodies are not rewritten.",
    blocks="Reads and writes of a table that is moved, for a moment. Then every query with the old name fails.",
    help="Leave a view with the old name in its place, in the same transaction. For a whole schema, make the new one "
    "beside it, with views, and move the code first.",
    source="PostgreSQL manual, ALTER TABLE: SET SCHEMA; ALTER SCHEMA",
    judge=_judge,
    given="CREATE SCHEMA archive;\nCREATE TABLE orders (id bigint PRIMARY KEY);",
    bad="ALTER TABLE orders SET SCHEMA archive;",
    good="ALTER TABLE orders SET SCHEMA archive;\nCREATE VIEW orders AS SELECT * FROM archive.orders;",
)
