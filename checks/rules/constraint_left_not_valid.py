"""constraint-left-not-valid: an earlier migration added a constraint as NOT VALID, and nobody validated it."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.model import Name
from checks.names import quote


def _judge(context: Context) -> Iterator[Hit]:
    told: set[tuple[Name, str]] = set()
    for command in context.commands:
        before, after = context.world.schema.relations.get(command.table), context.after.relations.get(command.table)
        if before is None or after is None:
            continue
        for name, one in after.constraints.items():
            was = before.constraints.get(name)
            is_left = was is not None and not was.is_valid and was.is_enforced and not one.is_valid
            if is_left and not one.is_inherited and (command.table, name) not in told:
                told.add((command.table, name))
                yield Hit(
                    command.statement,
                    f"{quote(name)} of {command.sql_table} was added NOT VALID by an earlier migration and is not "
                    "validated: old rows may break it, and the planner does not use it.",
                    f"ALTER TABLE {command.sql_table} VALIDATE CONSTRAINT {quote(name)};",
                    offset=command.offset,
                )


RULE = Rule(
    code="constraint-left-not-valid",
    title="Constraint never validated",
    severity=Severity.NOTE,
    group=Group.CONSTRAINTS,
    why="A constraint that is NOT VALID holds for new rows only. Whoever reads the schema believes it for all of them; "
    "the planner does not, and SET NOT NULL cannot use it as a proof.",
    blocks="Nothing.",
    help="Validate it in a migration of its own. Where old rows break it, correct them first.",
    source="PostgreSQL manual, ALTER TABLE, ADD table_constraint",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);\n"
    "ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0) NOT VALID;",
    bad="ALTER TABLE orders ADD COLUMN note text;",
    good="ALTER TABLE orders VALIDATE CONSTRAINT orders_total_check;",
)
