"""mixed-transaction: a statement that refuses a transaction, in a file with statements that need one."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import unless_strict
from checks.statements import Script, Statement
from checks.transactions import divided, is_declared, is_mixed


def _judge(context: Context) -> Iterator[Hit]:
    script = context.script
    if not is_mixed(script):
        return
    # What its author declares is run statement by statement where that is not refused.
    severity = unless_strict(context) if is_declared(script) else None
    outside = [one for one in script.statements if one.outside_transaction]
    split = split_text(script)
    for statement in outside or script.statements[:1]:
        yield Hit(statement, _told(statement), split, severity=severity)
        split = ""  # the whole file once, not once for every place


def _told(statement: Statement) -> str:
    half = "If one of them fails, the file stays half applied."
    if not statement.outside_transaction:
        return f"The file declares that it is not one transaction, although it has several statements. {half}"
    why = "is run in batches, not in one transaction" if statement.batch else "cannot run in a transaction"
    return f"{statement.kind} {why}, but shares its file with statements that run in one. {half}"


def split_text(script: Script) -> str:
    """Return the files that a mixed one should be, each below a line that numbers it."""
    files = []
    for number, (outside, group) in enumerate(divided(script), start=1):
        note = "without a transaction" if outside else "in one transaction"
        files.append(f"-- file {number}, {note}\n" + "\n".join(map(_written, group)))
    return "\n\n".join(files)


def _written(statement: Statement) -> str:
    one = statement.batch
    comment = f"-- locktender: batch table={one.table} key={','.join(one.key)} size={one.size}\n" if one else ""
    return f"{comment}{statement.sql};"


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
