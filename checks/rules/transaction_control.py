"""transaction-control: BEGIN, COMMIT, SAVEPOINT and their kind inside a migration."""

from __future__ import annotations

from collections.abc import Iterator

from checks.finding import Hit, Rule, Severity
from checks.statements import Script


def _judge(script: Script) -> Iterator[Hit]:
    kept = "\n".join(f"{statement.sql};" for statement in script.statements if not statement.transaction_control)
    for statement in script.statements:
        if statement.transaction_control:
            yield Hit(statement, f"{statement.kind} ends or divides the transaction that the runner opened.", kept)
            kept = ""  # the whole file once, not once for every place


RULE = Rule(
    code="transaction-control",
    title="The file controls the transaction itself",
    severity=Severity.BLOCKING,
    why="The runner opens one transaction per file and writes the history row inside it. A COMMIT in the file commits "
    "half of the work without that row: afterwards nobody can tell what was applied.",
    help="Remove the statement. The file runs in one transaction anyway.",
    judge=_judge,
    bad="BEGIN;\nALTER TABLE orders ADD COLUMN note text;\nCOMMIT;",
    good="ALTER TABLE orders ADD COLUMN note text;",
)
