"""session-role-change: the file changes who acts, or which triggers and foreign keys are obeyed."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import unless_strict


def _judge(context: Context) -> Iterator[Hit]:
    for statement in context.script.statements:
        for change in statement.changes:
            if change.verb is Verb.SESSION_ROLE:
                told = f"This sets {change.name}, which the runner alone decides."
                yield Hit(statement, told, offset=change.offset, severity=unless_strict(context))


RULE = Rule(
    code="session-role-change",
    title="Session role or replication role changed",
    severity=Severity.BLOCKING,
    group=Group.SCRIPT,
    why="After SET ROLE or SET SESSION AUTHORIZATION, objects get another owner and the history row cannot be "
    "written. session_replication_role = replica switches off foreign keys and triggers without a word.",
    blocks="Nothing.",
    help="Remove it. The owner of new objects is set per database, outside the migration.",
    source="PostgreSQL manual, SET ROLE; section 19.11 session_replication_role",
    judge=_judge,
    given="GRANT ALL ON SCHEMA public TO pg_monitor;",
    bad="SET ROLE pg_monitor;\nCREATE TABLE notes (id bigint PRIMARY KEY);",
    good="SET LOCAL statement_timeout = '30s';\nCREATE TABLE notes (id bigint PRIMARY KEY);",
)
