"""mixed-transaction: a statement that refuses a transaction, in a file with statements that need one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.statements import Script


def _judge(context: Context) -> Iterator[Hit]:
    if {statement.outside_transaction for statement in context.script.statements} != {True, False}:
        return
    split = _split(context.script)
    for statement in context.script.statements:
        if statement.outside_transaction:
            yield Hit(
                statement,
                f"{statement.kind} cannot run in a transaction, but shares its file with statements that do. "
                "If one of them fails, the file stays half applied.",
                split,
            )
            split = ""  # the whole file once, not once for every place


def _split(script: Script) -> str:
    files = []
    for number, (outside, group) in enumerate(groupby(script.statements, lambda s: s.outside_transaction), start=1):
        note = "without a transaction" if outside else "in one transaction"
        files.append(f"-- file {number}, {note}\n" + "\n".join(f"{statement.sql};" for statement in group))
    return "\n\n".join(files)


RULE = Rule(
    code="mixed-transaction",
    title="Transactional and non-transactional statements in one file",
    severity=Severity.BLOCKING,
    group=Group.SCRIPT,
    why="PostgreSQL refuses some statements, such as CREATE INDEX CONCURRENTLY, inside a transaction. A file that "
    "holds one of them next to ordinary statements can neither be applied as a whole nor undone as a whole.",
    blocks="What the statements outside the transaction block, and nothing for the others: they do not run.",
    help="Split the file: what needs a transaction in one, each group that refuses it in another, in the same order.",
    source="PostgreSQL manual, CREATE INDEX: Building Indexes Concurrently; measured (SQLSTATE 25001)",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, note text);",
    bad="ALTER TABLE orders ADD COLUMN status text;\nCREATE INDEX CONCURRENTLY orders_note_idx ON orders (note);",
    good="CREATE INDEX CONCURRENTLY orders_note_idx ON orders (note);",
)
