"""foreign-key-cascade: deleting one row deletes rows of another table."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.keys_made import keys_made
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    for made in keys_made(context):
        if made.key.on_delete == "CASCADE":
            yield Hit(
                made.seen.statement,
                f"From then on, deleting a row of {made.key.references} deletes every row of {made.child.name} that "
                "refers to it, in the same transaction and without a question.",
            )


RULE = Rule(
    code="foreign-key-cascade",
    title="ON DELETE CASCADE",
    severity=Severity.NOTE,
    group=Group.CONSTRAINTS,
    why="One DELETE can reach many rows, through several tables. They are locked and written in one transaction, and "
    "whoever wrote the DELETE may not have known of them.",
    blocks="Nothing now. Later the deleted rows of all tables, as long as the DELETE takes.",
    help="Keep it where the rows have no meaning of their own, such as the lines of an order. Elsewhere leave the "
    "default, which refuses the DELETE, and delete in batches what should go.",
    source="PostgreSQL manual, section 5.5.5 Foreign Keys",
    judge=_judge,
    given="CREATE TABLE customers (id bigint PRIMARY KEY);",
    bad="CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint REFERENCES customers (id) ON DELETE CASCADE);",
    good="CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint REFERENCES customers (id) ON DELETE "
    "RESTRICT);",
)
