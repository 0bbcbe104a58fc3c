"""replication-changed: which rows leave this database, or come into it, by logical replication."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import commands, is_new, offset_of, tagged

_PUBLICATIONS = ("CreatePublicationStmt", "AlterPublicationStmt")
_SUBSCRIPTIONS = ("CreateSubscriptionStmt", "AlterSubscriptionStmt", "DropSubscriptionStmt")


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, *_PUBLICATIONS, *_SUBSCRIPTIONS, "AlterTableStmt", "DropStmt"):
        if told := _told(seen):
            yield Hit(seen.statement, told, offset=offset_of(seen, "AT_ReplicaIdentity"))


def _told(seen: Seen) -> str:
    tree = seen.statement.tree
    if tree.tag in _PUBLICATIONS or (tree.tag == "DropStmt" and tree.enum("removeType") == "OBJECT_PUBLICATION"):
        return "This changes which rows go to subscribers; changes of the schema do not go with them."
    if tree.tag in _SUBSCRIPTIONS:
        return "This changes which rows come in from another server, and keeps or ends a slot there."
    if any(commands(seen, "AT_ReplicaIdentity")) and not is_new(seen, tree.relation()):
        return f"From the commit on, subscribers find the rows of {tree.relation()} by other columns."
    return ""


RULE = Rule(
    code="replication-changed",
    title="Logical replication changed",
    severity=Severity.NOTE,
    group=Group.OBJECTS,
    why="Subscribers are other databases, and often another team's. They get rows, not DDL: a column that is missing "
    "there stops the replication, and the log here grows until the disk is full.",
    blocks="REPLICA IDENTITY: reads and writes of the table, for a moment. The others: nothing that is read or "
    "written.",
    help="Name the downstream consumers in notes.md. Change the subscriber first where something is added, last where "
    "something is taken away.",
    source="PostgreSQL manual, chapter 29 Logical Replication; locks measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY);",
    bad="ALTER TABLE orders REPLICA IDENTITY FULL;",
    good="COMMENT ON TABLE orders IS 'Replicated to the warehouse';",
)
