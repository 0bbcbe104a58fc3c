"""function-untrusted-language: a function in a language that is not known to stay inside the database."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    for statement in context.script.statements:
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
    group=Group.OBJECTS,
    why="A function in C or in an untrusted language such as plpython3u does whatever the operating system lets the "
    "database server do: read files, open connections, end the server. Only sql and plpgsql are known to be confined.",
    blocks="Nothing.",
    help="Write it in sql or plpgsql, or keep it outside the database.",
    source="PostgreSQL manual, chapter 40 Procedural Languages; CREATE LANGUAGE",
    judge=_judge,
    bad="CREATE FUNCTION handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';",
    good="CREATE FUNCTION twice(x int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * x';",
)
