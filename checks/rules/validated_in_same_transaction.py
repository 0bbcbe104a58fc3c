"""validated-in-same-transaction: a constraint is validated while the lock that added it is still held."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.commands import Command
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Effects, Lock, Work
from checks.recipes.files import File, in_files


def _judge(context: Context) -> Iterator[Hit]:
    for seen in context.seen:
        for place, command in enumerate(seen.commands):
            if command.kind != "AT_ValidateConstraint" or command.is_on_new_table or not _works(command):
                continue
            index = seen.statement.index
            earlier = [one.effects for one in context.held_before(index)] + [
                one.effects for one in seen.commands[:place]
            ]
            held = _strongest(command, earlier)
            if held is not None:
                verb = "read or write" if held.mode.blocks_reads else "write to"
                yield Hit(
                    seen.statement,
                    f"Validating {command.sql_name} reads every row while this transaction still holds "
                    f"{held.mode.words}: until it ends, nobody can {verb} {held.relation}.",
                    _split(context, index) if place == 0 else "",
                    offset=command.offset,
                )


def _works(command: Command) -> bool:
    return command.may(Work.SCAN, Work.KEY_CHECK)


def _strongest(command: Command, earlier: list[Effects]) -> Lock | None:
    """Return the strongest lock that stops writes and was taken before on the table that is read now."""
    found = [lock for effects in earlier for lock in effects.felt if lock.relation == command.table]
    return max(found, key=lambda lock: lock.mode, default=None)


def _split(context: Context, index: int) -> str:
    statements = context.script.statements
    halves = (statements[:index], statements[index:])
    return in_files(File("\n".join(f"{one.sql};" for one in half)) for half in halves)


RULE = Rule(
    code="validated-in-same-transaction",
    title="Constraint validated in the transaction that added it",
    severity=Severity.WARNING,
    group=Group.CONSTRAINTS,
    why="NOT VALID keeps the strong lock short, and VALIDATE needs only a weak one. In one transaction the strong "
    "lock is held until both are done, so nothing was won.",
    blocks="What the earlier lock blocks, writes or also reads, as long as the scan takes.",
    help="Put VALIDATE CONSTRAINT into a file of its own, which is another transaction.",
    source="PostgreSQL manual, ALTER TABLE, VALIDATE CONSTRAINT; measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);\nINSERT INTO orders VALUES (1, 10);",
    bad="ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0) NOT VALID;\n"
    "ALTER TABLE orders VALIDATE CONSTRAINT orders_total_check;",
    good="-- file 1\n"
    "ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0) NOT VALID;\n"
    "-- file 2\n"
    "ALTER TABLE orders VALIDATE CONSTRAINT orders_total_check;",
)
