"""name-needs-quotes: a new name that has to be written in double quotes for ever after."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.names import quote
from checks.rules._seen import commands, tagged


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "CreateStmt", "AlterTableStmt", "RenameStmt", "IndexStmt"):
        tree = seen.statement.tree
        relation = tree.get("relation") if tree.tag == "CreateStmt" else None
        columns = [one for one in tree.each("tableElts") if one.tag == "ColumnDef"]
        columns += [one for one in (command.get("def_") for command in commands(seen, "AT_AddColumn")) if one]
        names = [relation.text("relname") if relation else "", tree.text("newname"), tree.text("idxname")]
        names += [column.text("colname") for column in columns]
        if found := [quote(name) for name in names if name and quote(name) != name]:
            yield Hit(seen.statement, f"{found[0]} has to be written in double quotes wherever it is used.")


RULE = Rule(
    code="name-needs-quotes",
    title="Name that needs quotes",
    severity=Severity.NOTE,
    group=Group.SCRIPT,
    is_style=True,
    why="Without quotes PostgreSQL reads a name in lower case, and takes a reserved word for what it means. A name "
    "with capitals, spaces or of a reserved word is not found by those who forget the quotes.",
    blocks="Nothing.",
    help="Use lower case, digits and underscores.",
    source="PostgreSQL manual, section 4.1.1 Identifiers and Key Words; appendix C",
    judge=_judge,
    bad='CREATE TABLE "User" (id bigint PRIMARY KEY);',
    good="CREATE TABLE users (id bigint PRIMARY KEY);",
)
