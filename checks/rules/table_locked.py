"""table-locked: LOCK TABLE, which stops others for as long as the transaction lasts."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.commands import waiting
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import tagged


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "LockStmt"):
        if felt := seen.effects.felt:
            mode = max(lock.mode for lock in felt)
            yield Hit(
                seen.statement,
                f"LOCK TABLE takes {mode.words}: {waiting(felt)} until the transaction ends.",
            )


RULE = Rule(
    code="table-locked",
    title="Table locked by hand",
    severity=Severity.WARNING,
    group=Group.DATA,
    why="The lock is held to the end of the transaction, whatever comes after. Without a mode it is ACCESS EXCLUSIVE, "
    "which stops SELECT too.",
    blocks="What the mode says, until the transaction ends.",
    help="Leave it out: each statement takes the lock that it needs. If it is for a consistent copy, use the mode "
    "that is enough, and keep the transaction short.",
    source="PostgreSQL manual, LOCK; section 13.3.1 Table-Level Locks",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, status text);",
    bad="LOCK TABLE orders;",
    good="LOCK TABLE orders IN ROW EXCLUSIVE MODE;",
)
