"""key-type-change: a new type for a column at one end of a foreign key."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.type_changes import Trouble, type_changes
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work
from checks.recipes.new_type import changed_in_steps, words_by_hand


def _judge(context: Context) -> Iterator[Hit]:
    for change in type_changes(context, Trouble.KEY):
        command = change.command
        work = [
            words
            for kind, words in ((Work.REWRITE, "rewrites the table"), (Work.KEY_CHECK, "checks the foreign key again"))
            if command.may(kind)
        ]
        if work:
            message = f"Changing {change.words} {' and '.join(work)}; {command.until}."
        else:
            message = f"Changing {change.words} takes an instant, but makes a foreign key anew: {command.waiting}."
        yield Hit(command.statement, message + words_by_hand(change), changed_in_steps(change), command.offset)


RULE = Rule(
    code="key-type-change",
    title="Type of a key changed in place",
    severity=Severity.WARNING,
    group=Group.COLUMNS,
    why="A foreign key joins two columns. When one of them gets another type, the key is made anew: both tables are "
    "locked ACCESS EXCLUSIVE, the changed one is rewritten, and every row of the referring one is looked up again.",
    blocks="Reads and writes of both tables, as long as the rewrite and the check take.",
    help="Widen the referring columns first, then the key itself: for each, a second column that a trigger keeps "
    "equal, filled in batches. Swap the names in one short transaction that drops the foreign key and adds it again "
    "as NOT VALID, and validate it afterwards.",
    source="PostgreSQL manual, ALTER TABLE, Notes; locks on both tables measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE customers (id serial PRIMARY KEY, name text);\n"
    "CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint REFERENCES customers (id));\n"
    "INSERT INTO customers (name) VALUES ('a'), ('b');\n"
    "INSERT INTO orders VALUES (1, 1), (2, 2);",
    bad="ALTER TABLE customers ALTER COLUMN id TYPE bigint;",
    good="ALTER TABLE customers ADD COLUMN id_new bigint;",
)
