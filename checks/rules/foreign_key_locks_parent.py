"""foreign-key-locks-parent: a foreign key of a new table or column also locks the table it refers to."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Lock, Work
from checks.tree import Tree


def _judge(context: Context) -> Iterator[Hit]:
    for seen in context.seen:
        parents = dict.fromkeys(seen.before.place(key.relation("pktable")) for key in _new_keys(seen))
        locks = [lock for parent in parents if (lock := seen.effects.on(parent)) and _is_felt(lock)]
        if not locks or any(
            Work.KEY_CHECK in lock.work | lock.maybe for lock in seen.effects.locks if not lock.is_empty
        ):
            continue
        for lock in locks:
            yield Hit(
                seen.statement,
                f"There are no rows to check, so this takes an instant. But it waits for running writes to "
                f"{lock.relation}, and from then to the end of the transaction nobody can write to {lock.relation}.",
            )


def _new_keys(seen: Seen) -> Iterator[Tree]:
    """Yield the foreign keys that come with a new table, or with a new column of an old one."""
    tree = seen.statement.tree
    parts = [*tree.each("tableElts")] if tree.tag == "CreateStmt" else []
    for command in seen.commands:
        is_new = command.is_on_new_table or command.kind == "AT_AddColumn"
        parts += [command.definition] if is_new and command.definition else []
    for part in parts:
        inside = (part, *part.each("constraints"))
        yield from (one for one in inside if one.tag == "Constraint" and one.enum("contype") == "CONSTR_FOREIGN")


def _is_felt(lock: Lock) -> bool:
    return lock.mode.blocks_writes and not lock.mode.blocks_reads and not lock.is_new


RULE = Rule(
    code="foreign-key-locks-parent",
    title="A foreign key of a new table or column locks the other table",
    severity=Severity.NOTE,
    group=Group.CONSTRAINTS,
    why="CREATE TABLE and ADD COLUMN with REFERENCES take SHARE ROW EXCLUSIVE on the table referred to. There are no "
    "rows to check, but the lock has to be had, and it is held until the transaction ends.",
    blocks="Writes to the other table, for an instant, or as long as the rest of the transaction takes.",
    help="Give it a lock timeout, and put it near the end of the script. Where several tables are referred to, name "
    "them in the order in which everybody else takes them.",
    source="PostgreSQL manual, ALTER TABLE, ADD table_constraint; for CREATE TABLE measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE customers (id bigint PRIMARY KEY);",
    bad="CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint REFERENCES customers (id));",
    good="CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint);",
)
