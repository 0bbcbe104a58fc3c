"""Making a column NOT NULL: the scan it takes, and the proof that saves it."""

from __future__ import annotations

from checks.locks.altering import Altering
from checks.locks.values import Work
from checks.model import ConstraintKind, Relation
from checks.names import quote


def forbid_null(a: Altering, name: str) -> None:
    """Make a column NOT NULL in every table where it is not yet."""
    g = a.gathering
    if not a.has_column(name):
        g.fail_if_sure(f"there is no column {quote(name)} in {a.relation.name}")
    if name in a.adds:
        return
    for table in a.stored:
        column = table.columns.get(name)
        if column is None:
            g.work(table, maybe={Work.SCAN})
        elif column.is_nullable and not proves_not_null(table, name):
            g.work(table, Work.SCAN)
            g.may_fail(f"fails when {quote(name)} of {table.name} is null anywhere")


def proves_not_null(table: Relation, name: str) -> bool:
    """Tell whether a valid CHECK of a table says that a column holds no null."""
    return any(
        name in one.not_null
        for one in table.constraints.values()
        if one.kind is ConstraintKind.CHECK and one.is_valid and one.is_enforced
    )
