"""column-added-with-reference: a new column with a default and a foreign key inside."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.added import Cause, columns_added
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.recipes.new_column import added_in_steps


def _judge(context: Context) -> Iterator[Hit]:
    for column in columns_added(context, Cause.REFERENCE):
        command = column.command
        key = next((one for kind, one in column.parts.items() if kind.startswith("CONSTR_FOREIGN")), None)
        parent = key.tree.relation("pktable") if key else "the other table"
        yield Hit(
            command.statement,
            f"The default of {column.sql_name} is looked up in {parent} for every row of {command.sql_table}; "
            f"{command.until}.",
            added_in_steps(column),
            command.offset,
        )


RULE = Rule(
    code="column-added-with-reference",
    title="Column added with a default and a foreign key",
    severity=Severity.WARNING,
    group=Group.COLUMNS,
    why="Without a default there is only NULL, and nothing to look up. With one, every row is checked against the "
    "other table, under the ACCESS EXCLUSIVE lock that adding the column took.",
    blocks="Reads and writes of the table and writes to the other one, as long as the check takes.",
    help="Add the column with its default, then the foreign key as NOT VALID, then validate it in a later transaction.",
    source="PostgreSQL manual, ALTER TABLE, Notes; measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE customers (id bigint PRIMARY KEY);\n"
    "CREATE TABLE orders (id bigint PRIMARY KEY);\n"
    "INSERT INTO customers VALUES (1);\n"
    "INSERT INTO orders VALUES (1), (2);",
    bad="ALTER TABLE orders ADD COLUMN customer_id bigint NOT NULL DEFAULT 1 REFERENCES customers (id);",
    good="ALTER TABLE orders ADD COLUMN customer_id bigint REFERENCES customers (id);",
)
