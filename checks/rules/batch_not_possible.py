"""batch-not-possible: a data change that is declared as batched and would not do the same in batches."""

from __future__ import annotations

from collections.abc import Iterator

from checks.batching.soundness import problems
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    for seen in context.seen:
        for problem in problems(seen.statement, seen.before):
            yield Hit(seen.statement, f"This {seen.statement.kind} cannot be run in batches: {problem}")


RULE = Rule(
    code="batch-not-possible",
    title="A data change that cannot be run in batches",
    severity=Severity.BLOCKING,
    group=Group.DATA,
    why="Batches go through a table by a unique key, each in a transaction of its own, and a crash goes on after the "
    "last one that was committed. That is the same as one statement only if each row is taken once and no batch "
    "depends on what another has changed.",
    blocks="Nothing: it is not run.",
    help="Change the statement or the comment as the message says: -- locktender: batch table=TABLE key=COLUMN "
    "size=ROWS, on the line before one UPDATE, DELETE or INSERT … SELECT.",
    source="docs/batches.md; PostgreSQL manual, section 13.2.1 Read Committed Isolation Level",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, position bigint NOT NULL, total bigint);",
    bad="-- locktender: batch table=orders key=total size=5000\nUPDATE orders SET position = position + 1;",
    good="-- locktender: batch table=orders key=id size=5000\nUPDATE orders SET total = 0 WHERE total IS NULL;",
)
