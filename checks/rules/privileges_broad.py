"""privileges-broad: a grant to everybody, on everything in a schema, or to be handed on."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    for statement in context.script.statements:
        for change in statement.changes:
            if change.verb is Verb.GRANT_BROADLY:
                yield Hit(statement, f"This grants {change.detail}.")


RULE = Rule(
    code="privileges-broad",
    title="Privileges granted broadly",
    severity=Severity.WARNING,
    group=Group.OBJECTS,
    why="PUBLIC is every role there is and every role to come. ALL TABLES IN SCHEMA takes in tables that the author "
    "has never seen. A grant option lets the receiver decide who else. None of it is noticed until it is used.",
    blocks="Nothing.",
    help="Name the objects and the roles that need them.",
    source="PostgreSQL manual, GRANT; section 5.8 Privileges",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY);",
    bad="GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC;",
    good="GRANT SELECT ON orders TO pg_monitor;",
)
