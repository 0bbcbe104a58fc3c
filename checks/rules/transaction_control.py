"""transaction-control: BEGIN, COMMIT, SAVEPOINT and their kind inside a migration."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    if not context.world.wraps_in_transaction:
        return  # the script's own transaction is the only one there is
    kept = "\n".join(
        f"{statement.sql};" for statement in context.script.statements if not statement.transaction_control
    )
    for statement in context.script.statements:
        if statement.transaction_control:
            yield Hit(statement, f"{statement.kind} ends or divides the transaction that the runner opened.", kept)
            kept = ""  # the whole file once, not once for every place


RULE = Rule(
    code="transaction-control",
    title="The file controls the transaction itself",
    severity=Severity.BLOCKING,
    group=Group.SCRIPT,
    why="The runner opens one transaction per file and writes the history row inside it. A COMMIT in the file commits "
    "half of the work without that row: afterwards nobody can tell what was applied.",
    blocks="Nothing. After a failure it is not known what was applied.",
    help="Remove the statement. The file runs in one transaction anyway.",
    source="PostgreSQL manual, section 3.4 Transactions",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY);",
    bad="BEGIN;\nALTER TABLE orders ADD COLUMN note text;\nCOMMIT;",
    good="ALTER TABLE orders ADD COLUMN note text;",
)
