"""triggers-disabled: triggers, and with ALL also foreign keys, are switched off for everybody."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity

_OFF = {
    "AT_DisableTrig": "Trigger {name} of {table}",
    "AT_DisableTrigUser": "Every trigger of {table} that is not a foreign key's",
    "AT_DisableTrigAll": "Every trigger of {table}, and with them every foreign key from and to it,",
}


def _judge(context: Context) -> Iterator[Hit]:
    for command in context.commands:
        if command.kind in _OFF:
            what = _OFF[command.kind].format(name=command.sql_name, table=command.sql_table)
            yield Hit(
                command.statement,
                f"{what} is off for every session from the commit on, until somebody switches it "
                f"on again. Until the transaction ends, {command.waiting}.",
                offset=command.offset,
            )


RULE = Rule(
    code="triggers-disabled",
    title="Triggers switched off",
    severity=Severity.WARNING,
    group=Group.CONSTRAINTS,
    why="It is not for this session only: rows of the application too come in unchecked and unlogged. Foreign keys "
    "are triggers inside, and DISABLE TRIGGER ALL switches them off; nothing checks the rows later, when they are on "
    "again.",
    blocks="Writes to the table until the transaction ends. What it lets through stays.",
    help="Switch off the one trigger that is in the way, and switch it on again in the same transaction. Correct rows "
    "in a way that the foreign keys allow.",
    source="PostgreSQL manual, ALTER TABLE, DISABLE TRIGGER; lock measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY);\n"
    "CREATE FUNCTION logged() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;\n"
    "CREATE TRIGGER orders_log BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION logged();",
    bad="ALTER TABLE orders DISABLE TRIGGER ALL;",
    good="ALTER TABLE orders ENABLE TRIGGER orders_log;",
)
