"""copy-program: COPY that starts a program on the database server."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import unless_strict


def _judge(context: Context) -> Iterator[Hit]:
    for statement in context.script.statements:
        for change in statement.changes:
            if change.verb is Verb.COPY_PROGRAM:
                told = "COPY with PROGRAM runs a command of the operating system on the database server."
                yield Hit(statement, told, severity=unless_strict(context))


RULE = Rule(
    code="copy-program",
    title="COPY runs a program",
    severity=Severity.BLOCKING,
    group=Group.DATA,
    why="The command runs as the account of the database server, can do anything that account can, and is not undone "
    "by a rollback. It needs superuser rights that a migration should not have.",
    blocks="Nothing, for as long as the program allows.",
    help="Load the data outside the migration, or as INSERT statements in it.",
    source="PostgreSQL manual, COPY: Notes",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric, status text);",
    bad="COPY orders FROM PROGRAM 'true';",
    good="INSERT INTO orders (id, status) VALUES (1, 'open');",
)
