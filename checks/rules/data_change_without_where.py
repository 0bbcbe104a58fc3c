"""data-change-without-where: UPDATE or DELETE that nothing limits."""

from __future__ import annotations

from collections.abc import Iterator

from checks.batching.plain import suggested
from checks.changes import Verb
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import is_new


def _judge(context: Context) -> Iterator[Hit]:
    for seen in context.seen:
        for change in seen.statement.changes:
            is_batched = seen.statement.batch is not None
            if change.verb is Verb.CHANGE_ALL_ROWS and not is_batched and not is_new(seen, change.table):
                comment = suggested(seen)
                yield Hit(
                    seen.statement,
                    f"{change.detail} reaches every row of {change.table}: each is locked until the end of the "
                    "transaction, and its old value is lost.",
                    f"{comment}\n{seen.statement.sql};" if comment else "",
                    offset=change.offset,
                )


RULE = Rule(
    code="data-change-without-where",
    title="Data change without a limit",
    severity=Severity.WARNING,
    group=Group.DATA,
    why="One statement over a whole table locks every row until it commits, writes the table a second time, and holds "
    "back replicas and vacuum. A forgotten WHERE looks exactly the same.",
    blocks="Changes of the same rows, until the transaction ends. Reads go on.",
    help="Have the rows changed in batches by key, each in its own transaction: -- locktender: batch table=TABLE "
    "key=COLUMN size=ROWS. Keep the old values where a rollback needs them.",
    source="PostgreSQL manual, section 13.3.2 Row-Level Locks; time measured",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, status text);",
    bad="UPDATE orders SET status = 'open';",
    good="UPDATE orders SET status = 'open' WHERE id BETWEEN 1 AND 10000 AND status IS NULL;",
)
