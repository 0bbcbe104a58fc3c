"""transaction-control: BEGIN, COMMIT, SAVEPOINT and their kind inside a migration."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import unless_strict
from checks.transactions import sendable


def _judge(context: Context) -> Iterator[Hit]:
    if not context.world.wraps_in_transaction:
        return  # the script's own transaction is the only one there is
    # One BEGIN before everything and one COMMIT after it are not sent; others would change what is undone.
    severity = unless_strict(context) if sendable(context.script) is not None else None
    kept = "\n".join(
        f"{statement.sql};" for statement in context.script.statements if not statement.transaction_control
    )
    for statement in context.script.statements:
        if statement.transaction_control:
            told = f"{statement.kind} ends or divides the transaction that the runner opened."
            yield Hit(statement, told, kept, severity=severity)
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
