"""check-scan: a CHECK that is tried on every row while it is added."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.added_constraints import AddedConstraint, constraints_added
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work
from checks.model.expressions import columns_in
from checks.recipes.constraints import not_valid_first
from checks.recipes.files import in_files, new_constraint


def _judge(context: Context) -> Iterator[Hit]:
    for added in constraints_added(context, "CONSTR_CHECK"):
        command = added.command
        if command.may(Work.SCAN):
            yield Hit(
                command.statement,
                f"Adding {added.subject} tries it on every row of {command.sql_table}; {command.until}.",
                _rewrite(added),
                command.offset,
            )


def _rewrite(added: AddedConstraint) -> str:
    command, known = added.command, added.command.relation
    named = columns_in(added.tree.get("raw_expr"), known.columns, known.name.name) if known else frozenset()
    name = added.name or new_constraint(command, sorted(named) if len(named) == 1 else (), "check")
    return in_files(not_valid_first(command.sql_table, name, added.definition))


RULE = Rule(
    code="check-scan",
    title="CHECK tried on every row while it is added",
    severity=Severity.WARNING,
    group=Group.CONSTRAINTS,
    why="Every row is read and tried while ACCESS EXCLUSIVE is held. The constraint itself would take an instant.",
    blocks="Reads and writes of the table, as long as the scan takes.",
    help="Add it as NOT VALID: new and changed rows are tried from then on, and it takes an instant. Validate it in a "
    "later transaction, which reads every row too but blocks neither reads nor writes.",
    source="PostgreSQL manual, ALTER TABLE, ADD table_constraint; measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);\nINSERT INTO orders VALUES (1, 10);",
    bad="ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0);",
    good="ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0) NOT VALID;",
)
