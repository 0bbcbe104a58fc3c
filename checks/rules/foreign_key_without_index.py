"""foreign-key-without-index: deleting a row of the other table reads all of this one."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.keys_made import keys_made
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.model import Relation
from checks.names import quote


def _judge(context: Context) -> Iterator[Hit]:
    for made in keys_made(context):
        child = context.after.relations.get(made.child.name)
        if child is None or not _is_known(context, child) or _has_index(child, made.key.columns):
            continue
        columns = ", ".join(map(quote, made.key.columns))
        yield Hit(
            made.seen.statement,
            f"No index begins with {columns} of {child.name}: each DELETE in {made.key.references}, and each UPDATE of "
            f"its key, reads all of {child.name}.",
        )


def _is_known(context: Context, child: Relation) -> bool:
    """True when all indexes of a table are known: it was made in sight, or nothing is out of sight."""
    return child.made_in > 0 or context.after.is_complete


def _has_index(child: Relation, columns: tuple[str, ...]) -> bool:
    wanted = set(columns)
    return any(set(one.columns[: len(columns)]) == wanted and not one.predicate for one in child.indexes.values())


RULE = Rule(
    code="foreign-key-without-index",
    title="Foreign key without an index",
    severity=Severity.NOTE,
    group=Group.CONSTRAINTS,
    why="PostgreSQL makes no index for the referring columns. To delete a row it looks for rows that refer to it, and "
    "without an index it reads the whole referring table, for every row deleted.",
    blocks="Nothing now. Later each DELETE in the other table takes as long as a scan of this one, with its rows "
    "locked.",
    help="Build an index that begins with the columns of the key, CONCURRENTLY where the table is in use. It is not "
    "needed where rows of the other table are never deleted and their key never changes.",
    source="PostgreSQL manual, section 5.5.5 Foreign Keys",
    judge=_judge,
    given="CREATE TABLE customers (id bigint PRIMARY KEY);",
    bad="CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint REFERENCES customers (id));",
    good="CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint REFERENCES customers (id));\n"
    "CREATE INDEX orders_customer_idx ON orders (customer_id);",
)
