"""table-scanned-repeatedly: several ALTER TABLE of one table, each of which reads or writes all of it."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work
from checks.model import Name
from checks.rules._seen import commands, does, tagged


def _judge(context: Context) -> Iterator[Hit]:
    found: dict[Name, list[Seen]] = {}
    for seen in tagged(context, "AlterTableStmt"):
        table = seen.before.place(seen.statement.tree.relation())
        lock = seen.effects.on(table)
        if lock is None or lock.is_new or any(commands(seen, "AT_ValidateConstraint")):
            continue  # validated alone it blocks nobody; together with others it would
        if does(lock, Work.SCAN, Work.REWRITE):
            found.setdefault(table, []).append(seen)
    for table, several in found.items():
        if len(several) > 1:
            lines = ", ".join(str(one.statement.line) for one in several[:-1])
            yield Hit(
                several[-1].statement,
                f"{table} is read or written as a whole {len(several)} times (also line {lines}); one ALTER TABLE with "
                "all the commands does it once.",
                _merged(several),
            )


def _merged(several: list[Seen]) -> str:
    head = several[0].statement.tree.relation()
    if any(one.statement.tree.relation() != head for one in several):
        return ""
    written = [one.sql() for seen in several for one in seen.statement.tree.each("cmds")]
    return f"ALTER TABLE {head}\n  " + ",\n  ".join(written) + ";" if all(written) else ""


RULE = Rule(
    code="table-scanned-repeatedly",
    title="One table gone through several times",
    severity=Severity.NOTE,
    group=Group.SCRIPT,
    why="Each ALTER TABLE that has to look at every row goes through the table by itself, under its lock. The "
    "commands of one statement share a single pass.",
    blocks="Reads and writes of the table, for every pass.",
    help="Write the commands into one ALTER TABLE. Better still is a form that needs no pass: see the findings of "
    "each.",
    source="PostgreSQL manual, ALTER TABLE: Notes; measured",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, a int, b int);",
    bad="ALTER TABLE orders ALTER COLUMN a TYPE bigint;\nALTER TABLE orders ALTER COLUMN b TYPE bigint;",
    good="ALTER TABLE orders ALTER COLUMN a SET DEFAULT 0;\nALTER TABLE orders ALTER COLUMN b SET DEFAULT 0;",
)
