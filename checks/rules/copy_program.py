"""copy-program: COPY that starts a program on the database server."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.finding import Hit, Rule, Severity
from checks.statements import Script


def _judge(script: Script) -> Iterator[Hit]:
    for statement in script.statements:
        for change in statement.changes:
            if change.verb is Verb.COPY_PROGRAM:
                yield Hit(statement, "COPY with PROGRAM runs a command of the operating system on the database server.")


RULE = Rule(
    code="copy-program",
    title="COPY runs a program",
    severity=Severity.BLOCKING,
    why="The command runs as the account of the database server, can do anything that account can, and is not undone "
    "by a rollback. It needs superuser rights that a migration should not have.",
    help="Load the data outside the migration, or as INSERT statements in it.",
    judge=_judge,
    bad="COPY orders FROM PROGRAM 'cat orders.csv';",
    good="INSERT INTO orders (id, status) VALUES (1, 'open');",
)
