"""What one change of a table takes away from old application code, in words. What is not listed is a doubt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from checks.changes import Change, Verb
from checks.names import unqualified
from checks.phases.objects import alter, drop_index, drop_object, replaced
from checks.phases.past import Doubt, Past, is_replaced
from checks.phases.widening import is_wider

if TYPE_CHECKING:
    from checks.context import Seen


def judged(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    """Yield what breaks by one change, and each Doubt about it."""
    if change.verb in _HARMLESS:
        return
    judge = _JUDGES.get(change.verb)
    if judge is None:
        yield Doubt(f"what {change.detail or seen.statement.kind} does to old code is not analysed")
    else:
        yield from judge(change, seen, past)


_HARMLESS = frozenset({
    Verb.CREATE_TABLE, Verb.CREATE_PARTITION, Verb.CREATE_VIEW, Verb.CREATE_OBJECT, Verb.COMMENT, Verb.GRANT,
    Verb.GRANT_BROADLY, Verb.READ, Verb.SETTING, Verb.RAISE_TIMEOUT, Verb.MAINTENANCE, Verb.DROP_NOT_NULL,
    Verb.TABLE_OPTION, Verb.VALIDATE_CONSTRAINT, Verb.REINDEX, Verb.REINDEX_CONCURRENTLY, Verb.INSERT, Verb.UPDATE,
    Verb.DELETE, Verb.MERGE, Verb.CHANGE_ALL_ROWS, Verb.TRUNCATE, Verb.LOCK, Verb.REWRITE, Verb.DEFINER_FUNCTION,
    Verb.TRANSACTION,
})  # fmt: skip


def _add_column(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    if not past.knows_table(change, seen):
        return
    column = past.after(seen).find(change.table)
    added = column.columns.get(unqualified(change.name)) if column else None
    forbids = "is NOT NULL" in change.detail if added is None else not added.is_nullable
    filled = added is not None and (added.default is not None or added.is_identity or bool(added.generated))
    if forbids and added is None:
        yield Doubt(f"whether {change.subject} has a value when old code leaves it out")
    elif forbids and not filled:
        yield f"{change.subject} is NOT NULL and has no default: inserts of old code leave it out, and fail"


def _drop_column(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    column = unqualified(change.name)
    end = past.in_the_end(seen.before.place(change.table))
    if past.knows_column(change, seen, column):
        back = " (it comes back without its values)" if end is not None and column in end.columns else ""
        yield f"{change.subject} is gone{back}: whoever reads or writes it fails"


def _drop_table(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    if past.knows_table(change, seen) and not is_replaced(seen.before.place(change.table), seen, past):
        yield f"table {change.table} is gone: whoever uses it fails"


def _drop_constraint(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    relation = seen.before.find(change.table)
    constraint = relation.constraints.get(unqualified(change.name)) if relation else None
    if past.knows_table(change, seen) and constraint is not None and constraint.index:
        yield f"ON CONFLICT that relies on {change.subject} fails"


def _rename(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    if (seen.statement.index, change) in past.kept or not past.knows_table(change, seen):
        return
    if change.verb is Verb.RENAME_COLUMN and not past.knows_column(change, seen, unqualified(change.name)):
        return
    if change.verb is Verb.RENAME_COLUMN and _is_swapped(change, seen, past):
        return
    if change.verb is Verb.RENAME_TABLE and is_replaced(seen.before.place(change.table), seen, past):
        return
    yield f"{change.subject} is called {change.detail} now, without a view or a column under the old name"


def _rename_object(change: Change, seen: Seen, _: Past) -> Iterator[str]:
    if seen.statement.kind not in {"ALTER INDEX RENAME", "ALTER TABLE RENAME", "ALTER TRIGGER RENAME"}:
        yield f"{change.name} is called {change.detail} now: whoever uses the old name fails"


def _is_swapped(change: Change, seen: Seen, past: Past) -> bool:
    """True when a column that holds as much has the old name when the transaction ends."""
    old, end = past.column(change, seen), past.in_the_end(seen.before.place(change.table))
    new = end.columns.get(unqualified(change.name)) if end else None
    return past.context.is_one_transaction and old is not None and new is not None and is_wider(old.type, new.type)


def _move(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    if past.knows_table(change, seen):
        yield f"{change.table} is in schema {change.detail} now: whoever uses the old name fails"


def _type(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    old = past.column(change, seen)
    relation = past.after(seen).find(change.table)
    new = relation.columns.get(unqualified(change.name)) if relation else None
    if not past.knows_column(change, seen, unqualified(change.name)):
        return
    if old is None or new is None:
        yield Doubt(f"{change.subject} becomes {change.detail}; which type it has now is not known")
    elif not is_wider(old.type, new.type):
        what = "old code may write what it refuses, or read what it does not expect"
        yield f"{change.subject} becomes {change.detail}: {what}"


def _not_null(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    column = unqualified(change.name)
    relation = seen.before.find(change.table)
    proven = relation is not None and any(
        column in one.not_null and one.is_enforced for one in relation.constraints.values()
    )
    known = past.column(change, seen)
    if not proven and (known is None or known.is_nullable) and past.knows_table(change, seen):
        yield f"{change.subject} is NOT NULL now: whoever writes NULL, or leaves it out, fails"


def _constraint(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    if change.from_index and change.constraint == "UNIQUE":
        return  # its index has refused the same all along
    columns = [unqualified(one) for one in change.columns]
    named = columns or list(_columns_of(change, seen, past))
    is_new = bool(named) and not any(past.knows_column(change, seen, one) for one in named)
    if past.knows_table(change, seen) and not is_new and "NOT ENFORCED" not in change.definition.upper():
        what = f"{change.constraint} {change.name}".strip()
        yield f"{what} on {change.table} refuses what old code could write until now"


def _columns_of(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    """Yield the columns of the constraints that a statement adds, as the model knows them."""
    before, after = seen.before.find(change.table), past.after(seen).find(change.table)
    for name, constraint in after.constraints.items() if after else ():
        if before is None or name not in before.constraints:
            yield from constraint.columns


def _index(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    known = [one for one in change.columns if past.knows_column(change, seen, unqualified(one))]
    if change.unique and past.knows_table(change, seen) and (known or not change.columns):
        yield f"unique index {change.name or ''} on {change.table} refuses equal values from now on".replace("  ", " ")


def _default(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    column = past.column(change, seen)
    drops = any(
        one.get("def_") is None
        for one in seen.statement.tree.each("cmds")
        if one.enum("subtype") == "AT_ColumnDefault" and one.text("name") == unqualified(change.name)
    )
    if drops and past.knows_column(change, seen, unqualified(change.name)) and (column is None or column.default):
        fails = column is None or not column.is_nullable
        then = "fail" if fails else "store NULL"
        yield f"{change.subject} has no default any more: inserts of old code that leave it out {then}"


def _cascade(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    if not change.table or past.knows_table(change, seen):
        yield f"{change.subject or 'an object'} is gone, and everything that depends on it"


def _restructure(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    if change.table and not past.knows_table(change, seen):
        return
    if seen.statement.kind.endswith("RENAME"):
        yield f"{change.name} is called something else now: whoever uses the old name fails"
    else:
        yield Doubt(f"what {change.detail} of {change.table} means for old code")


def _drop_schema(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    del seen, past
    yield f"schema {change.name} is gone with what was in it"


_JUDGES: dict[Verb, Callable[[Change, Seen, Past], Iterator[str]]] = {
    Verb.ADD_COLUMN_HARD: _add_column,
    Verb.ADD_COLUMN: _add_column,
    Verb.DROP_COLUMN: _drop_column,
    Verb.DROP_TABLE: _drop_table,
    Verb.DROP_OBJECT: drop_object,
    Verb.DROP_INDEX_CONCURRENTLY: drop_index,
    Verb.DROP_CONSTRAINT: _drop_constraint,
    Verb.DROP_SCHEMA: _drop_schema,
    Verb.DROP_CASCADE: _cascade,
    Verb.RENAME_TABLE: _rename,
    Verb.RENAME_COLUMN: _rename,
    Verb.RENAME_OBJECT: _rename_object,
    Verb.MOVE: _move,
    Verb.COLUMN_TYPE: _type,
    Verb.SET_NOT_NULL: _not_null,
    Verb.ADD_CONSTRAINT: _constraint,
    Verb.ADD_CONSTRAINT_NOT_VALID: _constraint,
    Verb.CREATE_INDEX: _index,
    Verb.CREATE_INDEX_CONCURRENTLY: _index,
    Verb.COLUMN_DEFAULT: _default,
    Verb.REPLACE_FUNCTION: replaced,
    Verb.RESTRUCTURE: _restructure,
    Verb.ALTER_OBJECT: alter,
}
