"""function-untrusted-language: a function in a language that is not known to stay inside the database."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.finding import Hit, Rule, Severity
from checks.statements import Script


def _judge(script: Script) -> Iterator[Hit]:
    for statement in script.statements:
        for change in statement.changes:
            if change.verb is Verb.UNTRUSTED_FUNCTION:
                yield Hit(
                    statement,
                    f"{change.name} is written in {change.detail}, which is not known to be confined to the database.",
                )


RULE = Rule(
    code="function-untrusted-language",
    title="Function in a language that is not confined",
    severity=Severity.WARNING,
    why="A function in C or in an untrusted language such as plpython3u does whatever the operating system lets the "
    "database server do: read files, open connections, end the server. Only sql and plpgsql are known to be confined.",
    help="Write it in sql or plpgsql, or keep it outside the database.",
    judge=_judge,
    bad="CREATE FUNCTION host() RETURNS text LANGUAGE plpython3u AS 'import os; return os.uname().nodename';",
    good="CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * x';",
)
