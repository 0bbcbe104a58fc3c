"""enum-value-used-at-once: a new value of an enum is used before the transaction that adds it has committed."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.statements import Statement


def _judge(context: Context) -> Iterator[Hit]:
    if not context.is_one_transaction:
        return
    made: set[str] = set()
    added: dict[str, tuple[str, Statement]] = {}
    for seen in context.seen:
        tree = seen.statement.tree
        if tree.tag == "CreateEnumStmt":
            made.add(tree.dotted("typeName"))  # the values of a type of the same transaction can be used
        elif tree.tag == "AlterEnumStmt" and not tree.text("oldVal"):
            if tree.dotted("typeName") not in made:
                added[tree.text("newVal")] = (tree.dotted("typeName"), seen.statement)
        elif added and tree.tag != "CommentStmt":
            used = {node.text("sval") for node in tree.walk() if node.tag == "String"}
            for value in sorted(added.keys() & used):
                name, where = added.pop(value)
                yield Hit(
                    seen.statement,
                    f"If '{value}' is the value that line {where.line} adds to {name}, this fails: the server lets "
                    "nobody use it before the commit.",
                    f"-- file 1\n{where.sql};\n-- file 2\n{seen.statement.sql};",
                )


RULE = Rule(
    code="enum-value-used-at-once",
    title="New enum value used in the same transaction",
    severity=Severity.WARNING,
    group=Group.OBJECTS,
    why="A value added by ALTER TYPE … ADD VALUE cannot be used until its transaction has committed (SQLSTATE 55P04), "
    "unless the type was made in the same one. The whole file fails.",
    blocks="Nothing: the file fails.",
    help="Add the value in a migration of its own, and use it in a later one.",
    source="PostgreSQL manual, ALTER TYPE: Notes; measured on 14 to 18",
    judge=_judge,
    given="CREATE TYPE status AS ENUM ('open', 'closed');\nCREATE TABLE orders (id bigint PRIMARY KEY, status status);",
    bad="ALTER TYPE status ADD VALUE 'lost';\nUPDATE orders SET status = 'lost' WHERE id = 1;",
    good="UPDATE orders SET status = 'closed' WHERE id = 1 AND status IS NULL;",
)
