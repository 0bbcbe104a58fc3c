"""constraint-dropped: what the database guaranteed is no longer so, and for a foreign key two tables are locked."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.commands import Command
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.model import Constraint, ConstraintKind, Relation
from checks.names import quote


def _judge(context: Context) -> Iterator[Hit]:
    for command in context.commands:
        if command.kind != "AT_DropConstraint":
            continue
        known = command.relation.constraints.get(command.name) if command.relation else None
        after = context.after.relations.get(command.table)
        if known is None and command.relation is not None and context.world.schema.is_complete:
            continue  # IF EXISTS, and it does not
        if known is not None and (_is_proven_elsewhere(command, known) or _is_replaced(context, after, known)):
            continue
        yield Hit(command.statement, _message(command, known), offset=command.offset)


def _message(command: Command, known: Constraint | None) -> str:
    name, table = command.sql_name, command.sql_table
    if known is None:
        return (
            f"What {name} of {table} guaranteed is no longer so. What it is, is not known here: if a foreign key, "
            "the table it refers to is locked as well."
        )
    match known.kind:
        case ConstraintKind.FOREIGN_KEY:
            return (
                f"Rows of {table} can refer to nothing from now on. The drop takes an instant, but it locks both "
                f"tables: once it has the locks, and until the transaction ends, {command.waiting}."
            )
        case ConstraintKind.PRIMARY_KEY | ConstraintKind.UNIQUE:
            columns = ", ".join(map(quote, known.columns))
            more = f" Foreign keys that refer to it go too; for a moment {command.waiting}." if command.peers else ""
            return (
                f"The index of {name} goes with it: queries by {columns} become slow, ON CONFLICT ({columns}) fails, "
                f"and duplicates can come in.{more}"
            )
        case _:
            return f"Rows of {table} that break {name} can come in from now on; then it cannot be added again."


def _is_proven_elsewhere(command: Command, known: Constraint) -> bool:
    """True for a CHECK that only says what NOT NULL says too: the last step of a recipe."""
    table = command.relation
    if table is None or known.kind is not ConstraintKind.CHECK or not known.not_null:
        return False
    columns = [table.columns[one] for one in known.not_null if one in table.columns]
    is_only_that = known.expression.replace('"', "") == f"{known.columns[0]} IS NOT NULL" if known.columns else False
    return is_only_that and all(not one.is_nullable for one in columns)


def _is_replaced(context: Context, after: Relation | None, known: Constraint) -> bool:
    """True when the script puts one in its place that is of the same kind and has the same columns."""
    if after is None or not context.is_one_transaction:
        return False
    return any(
        one.kind is known.kind and set(one.columns) == set(known.columns) and one.references == known.references
        for one in after.constraints.values()
        if one.name not in _names_before(context, after) or one.name == known.name
    )


def _names_before(context: Context, after: Relation) -> frozenset[str]:
    before = context.world.schema.relations.get(after.name)
    return frozenset(before.constraints) if before else frozenset()


RULE = Rule(
    code="constraint-dropped",
    title="Constraint dropped",
    severity=Severity.WARNING,
    group=Group.CONSTRAINTS,
    why="From then on rows can come in that the constraint refused, and a rollback that adds it again fails on them. "
    "Dropping a foreign key takes ACCESS EXCLUSIVE on both of its tables, which many tools do not say; dropping "
    "UNIQUE or PRIMARY KEY takes the index away too.",
    blocks="Reads and writes of the table, and for a foreign key of both tables, for an instant once the locks are "
    "had. While it waits for them, everybody else waits behind it.",
    help="Give it a lock timeout and a transaction of its own. Where another constraint takes its place, add that one "
    "first, or in the same transaction. Look for rows that break it before a rollback adds it again.",
    source="locks on both tables measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE customers (id bigint PRIMARY KEY);\n"
    "CREATE TABLE orders (id bigint PRIMARY KEY, "
    "customer_id bigint CONSTRAINT orders_customer_fk REFERENCES customers, "
    "email text CONSTRAINT orders_email_key UNIQUE, total numeric CONSTRAINT orders_total_check CHECK (total >= 0));",
    bad="ALTER TABLE orders DROP CONSTRAINT orders_customer_fk;\n"
    "ALTER TABLE orders DROP CONSTRAINT orders_email_key;\n"
    "ALTER TABLE orders DROP CONSTRAINT orders_total_check;",
    good="ALTER TABLE orders DROP CONSTRAINT orders_total_check;\n"
    "ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total > 0) NOT VALID;",
)
