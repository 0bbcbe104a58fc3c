"""syntax-newer-than-server: SQL that the parser here knows, and the server of the target does not."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._syntax import too_new


def _judge(context: Context) -> Iterator[Hit]:
    version = context.world.version
    for seen in context.seen:
        if form := too_new(seen.statement, version):
            yield Hit(
                seen.statement,
                f"{form.words} came with PostgreSQL {form.since}; the target has {version} and refuses the whole file.",
            )


RULE = Rule(
    code="syntax-newer-than-server",
    title="Syntax that the server does not know",
    severity=Severity.BLOCKING,
    group=Group.SCRIPT,
    why="Statements are read here with the grammar of PostgreSQL 18. An older server refuses what came later, often "
    "only in the rollback script, when it is needed.",
    blocks="Nothing: the file fails.",
    help="Write it in the form that the server of the target knows, or update the server first.",
    source="PostgreSQL manual, release notes 15 to 18: Migration to Version; measured",
    judge=_judge,
    given="CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL);",
    bad="ALTER TABLE users ADD CONSTRAINT email_set CHECK (email <> '') NOT ENFORCED;",
    good="ALTER TABLE users ADD CONSTRAINT email_set CHECK (email <> '') NOT VALID;",
)
