"""column-type-change: a new type for an existing column that costs work on every row."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.type_changes import Trouble, TypeChange, type_changes
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work
from checks.recipes.new_type import changed_in_steps, words_by_hand


def _judge(context: Context) -> Iterator[Hit]:
    for change in type_changes(context, Trouble.WORK):
        command = change.command
        rewrites = command.may(Work.REWRITE)
        yield Hit(
            command.statement,
            f"{_message(change)}; {command.until}.{words_by_hand(change) if rewrites else ''}",
            changed_in_steps(change) if rewrites else "",
            command.offset,
        )


def _message(change: TypeChange) -> str:
    command = change.command
    if command.does(Work.REWRITE):
        return f"Changing {change.words} rewrites the table and its indexes"
    if command.may(Work.REWRITE):
        unknown = "the cast" if command.column else "the type it has now"
        return f"Changing {change.words} may rewrite the table: {unknown} is not known here"
    work = [
        words
        for kind, words in (
            (Work.SCAN, "reads every row again for a CHECK"),
            (Work.BUILD, "builds an index anew"),
            (Work.KEY_CHECK, "checks a foreign key again"),
        )
        if command.may(kind)
    ]
    return f"Changing {change.words} keeps the rows as they are, but {' and '.join(work)}"


RULE = Rule(
    code="column-type-change",
    title="Column type changed in place",
    severity=Severity.WARNING,
    group=Group.COLUMNS,
    why="ALTER COLUMN TYPE takes an ACCESS EXCLUSIVE lock. Where the stored values mean something else in the new "
    "type, every row and every index is rewritten under it. Where they do not, a CHECK that names the column is tried "
    "on every row again, and an index whose order differs is built again.",
    blocks="Reads and writes of the table, as long as the rewrite, the scan or the index build takes.",
    help="Add a column of the new type, keep it equal with a trigger, fill in batches, then swap the names in one "
    "short transaction. Widening a varchar or numeric, and varchar to text, needs none of this and is not found. A "
    "CHECK in the way can be dropped before and added again as NOT VALID.",
    source="PostgreSQL manual, ALTER TABLE, Notes; 51 pairs of types measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, pieces integer NOT NULL DEFAULT 1, note varchar(20));\n"
    "CREATE INDEX orders_pieces_idx ON orders (pieces);\n"
    "INSERT INTO orders SELECT n FROM generate_series(1, 3) AS n;",
    bad="ALTER TABLE orders ALTER COLUMN pieces TYPE bigint;",
    good="ALTER TABLE orders ALTER COLUMN note TYPE text;",
)
