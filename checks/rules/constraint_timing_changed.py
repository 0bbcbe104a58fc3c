"""constraint-timing-changed: a foreign key is checked at another moment, or no more."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work
from checks.names import quote


def _judge(context: Context) -> Iterator[Hit]:
    for command in context.commands:
        made = command.definition
        if command.kind != "AT_AlterConstraint" or made is None or command.may(Work.KEY_CHECK):
            continue
        name = quote(made.text("conname"))
        if made.flag("alterEnforceability") and not made.flag("is_enforced"):
            what = f"{name} is not checked any more"
        elif made.flag("initdeferred"):
            what = (
                f"{name} is checked at the end of each transaction, so errors come with COMMIT, not with the statement"
            )
        elif made.flag("deferrable"):
            what = f"a transaction may put the check of {name} off to its end"
        else:
            what = f"{name} is checked with each statement, also where code counted on the end of the transaction"
        yield Hit(command.statement, f"From then on {what}. The change itself takes an instant.", offset=command.offset)


RULE = Rule(
    code="constraint-timing-changed",
    title="Constraint checked at another moment",
    severity=Severity.NOTE,
    group=Group.CONSTRAINTS,
    why="Only the catalogue changes. But errors come from another statement than before, and code that retries or "
    "inserts in a certain order may not expect that.",
    blocks="Reads and writes of the table, for an instant once the lock is had.",
    help="Test the code that writes these tables with the new moment before.",
    source="PostgreSQL manual, SET CONSTRAINTS; lock measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE customers (id bigint PRIMARY KEY);\n"
    "CREATE TABLE orders (id bigint PRIMARY KEY, "
    "customer_id bigint CONSTRAINT orders_customer_fk REFERENCES customers);",
    bad="ALTER TABLE orders ALTER CONSTRAINT orders_customer_fk DEFERRABLE INITIALLY DEFERRED;",
    good="ALTER TABLE orders RENAME CONSTRAINT orders_customer_fk TO orders_customer_id_fk;",
)
