"""trigger-dropped: what a trigger did no longer happens, and nothing fails."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.model import Name
from checks.names import quote
from checks.rules._seen import commands, is_new, tagged


def _judge(context: Context) -> Iterator[Hit]:
    made: dict[tuple[Name, str], int] = {}
    for one in tagged(context, "CreateTrigStmt"):
        tree = one.statement.tree
        made[one.before.place(tree.relation()), quote(tree.text("trigname"))] = one.statement.index
    for seen in tagged(context, "DropStmt", "AlterTableStmt"):
        for table, trigger, words in _stopped(seen):
            again = made.get((seen.before.place(table), trigger), -1) > seen.statement.index
            if not is_new(seen, table) and not again:
                yield Hit(
                    seen.statement,
                    f"Trigger {trigger} of {table} is {words}: what it did no longer happens from the commit on.",
                )


def _stopped(seen: Seen) -> Iterator[tuple[str, str, str]]:
    tree = seen.statement.tree
    if tree.tag == "DropStmt" and tree.enum("removeType") == "OBJECT_TRIGGER":
        for change in seen.statement.changes:
            yield change.table, change.name, "dropped"
    for command in commands(seen, "AT_DisableTrig"):
        yield tree.relation(), quote(command.text("name")), "switched off"


RULE = Rule(
    code="trigger-dropped",
    title="Trigger dropped or switched off",
    severity=Severity.WARNING,
    group=Group.OBJECTS,
    why="Triggers keep totals, audit rows and second columns up to date. Without one nothing fails: the data drifts "
    "apart, and is found wrong much later. DROP TRIGGER takes ACCESS EXCLUSIVE, DISABLE takes SHARE ROW EXCLUSIVE.",
    blocks="Reads and writes of the table (for DISABLE writes only), for a moment.",
    help="Make sure that something else does its work, or that nobody needs it. To change one, use CREATE OR REPLACE "
    "TRIGGER, or drop and create it in one transaction.",
    source="PostgreSQL manual, DROP TRIGGER; ALTER TABLE: DISABLE TRIGGER; locks measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY);\n"
    "CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';\n"
    "CREATE TRIGGER orders_touched BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touched();",
    bad="DROP TRIGGER orders_touched ON orders;",
    good="DROP TRIGGER orders_touched ON orders;\n"
    "CREATE TRIGGER orders_touched AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touched();",
)
