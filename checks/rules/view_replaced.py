"""view-replaced: running queries of a view get another definition from the commit on."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import is_absent, is_new, tagged


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "ViewStmt"):
        view = seen.statement.tree.relation("view")
        if not seen.statement.tree.flag("replace") or is_new(seen, view) or is_absent(seen, view):
            continue
        known = seen.before.find(view) is not None
        yield Hit(
            seen.statement,
            f"{'From' if known else f'If {view} exists, from'} the commit on, queries of {view} run the new "
            "definition. The server refuses it when a column is left out, renamed or of another type.",
        )


RULE = Rule(
    code="view-replaced",
    title="View that may replace another",
    severity=Severity.NOTE,
    group=Group.OBJECTS,
    why="OR REPLACE keeps the privileges and whatever depends on the view, but may only add columns at the end. It "
    "waits for running queries of the view. The old definition is kept nowhere.",
    blocks="Queries of the view, for a moment.",
    help="Keep the old definition in the rollback script. To change columns, drop and create the view and what "
    "depends on it in one transaction, and grant again what was granted.",
    source="PostgreSQL manual, CREATE VIEW: OR REPLACE; locks measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);\n"
    "CREATE VIEW totals AS SELECT total FROM orders;",
    bad="CREATE OR REPLACE VIEW totals AS SELECT total, id FROM orders;",
    good="CREATE VIEW totals_by_order AS SELECT id, total FROM orders;",
)
