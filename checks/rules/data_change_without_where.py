"""data-change-without-where: UPDATE or DELETE that nothing limits."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.finding import Hit, Rule, Severity
from checks.statements import Script


def _judge(script: Script) -> Iterator[Hit]:
    for statement in script.statements:
        for change in statement.changes:
            if change.verb is Verb.CHANGE_ALL_ROWS and not statement.is_new(change.table):
                yield Hit(
                    statement,
                    f"{change.detail} reaches every row of {change.table}: each is locked until the end of the "
                    "transaction, and its old value is lost.",
                    offset=change.offset,
                )


RULE = Rule(
    code="data-change-without-where",
    title="Data change without a limit",
    severity=Severity.WARNING,
    why="One statement over a whole table locks every row until it commits, writes the table a second time, and holds "
    "back replicas and vacuum. A forgotten WHERE looks exactly the same.",
    help="Change the rows in batches by key, each in its own transaction, and stop when replicas fall behind. Keep "
    "the old values where a rollback needs them.",
    judge=_judge,
    bad="UPDATE orders SET status = 'open';",
    good="UPDATE orders SET status = 'open' WHERE id BETWEEN 1 AND 10000 AND status IS NULL;",
)
