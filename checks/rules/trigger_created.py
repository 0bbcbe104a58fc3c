"""trigger-created: from the commit on every write to a table runs more code."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.names import quote
from checks.rules._seen import is_new, tagged


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "CreateTrigStmt"):
        tree = seen.statement.tree
        table = tree.relation()
        if not is_new(seen, table):
            each = "for each row" if tree.flag("row") else "once for each statement"
            yield Hit(
                seen.statement,
                f"Trigger {quote(tree.text('trigname'))} needs SHARE ROW EXCLUSIVE on {table} for a moment. From the "
                f"commit on, writes to it run {tree.dotted('funcname')}() {each}.",
            )


RULE = Rule(
    code="trigger-created",
    title="Trigger on a table in use",
    severity=Severity.NOTE,
    group=Group.OBJECTS,
    why="CREATE TRIGGER waits for running writes and holds up new ones until it has its lock. What the function "
    "costs, and what it locks, is paid by every write from then on, also by batches of later migrations.",
    blocks="Writes to the table, as long as it waits for its lock.",
    help="Measure the function under load before. Make its errors those of the application: what it raises fails the "
    "write.",
    source="PostgreSQL manual, section 37.1 Overview of Trigger Behavior; lock measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY);\n"
    "CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';",
    bad="CREATE TRIGGER orders_touched BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touched();",
    good="COMMENT ON TABLE orders IS 'One row for each order';",
)
