"""Whether every value of one type is a value of another, and reads as it did: then old code notices no change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checks.changes import Change, Verb
from checks.model import DataType
from checks.names import unqualified

if TYPE_CHECKING:
    from checks.context import Context, Seen
    from checks.tree import Tree

_INTEGERS = ("int2", "int4", "int8")
_TEXTS = frozenset({"varchar", "text"})
# With a number in brackets that may grow, or go.
_GROWING = frozenset({"varchar", "varbit", "timestamp", "timestamptz", "time", "timetz", "interval", "numeric"})


def is_wider(old: DataType, new: DataType) -> bool:
    """True when old code can go on writing and reading a column whose type changes from one to the other.

    int to bigint counts: what is read is a whole number as before. What is not known to be wider is not.
    """
    if old == new:
        return True
    if old.is_array != new.is_array or not old.is_built_in or not new.is_built_in or old.fields != new.fields:
        return False
    if old.name in _INTEGERS and new.name in _INTEGERS:
        return _INTEGERS.index(old.name) <= _INTEGERS.index(new.name)
    if (old.name, new.name) == ("float4", "float8"):
        return True
    if old.name != new.name and not {old.name, new.name} <= _TEXTS:
        return False
    return old.name in _GROWING | _TEXTS and _grows(old, new)


def _grows(old: DataType, new: DataType) -> bool:
    """Compare the numbers in brackets; none is no limit. Digits before the point may not become fewer."""
    if not new.modifiers:
        return True
    if not old.modifiers:
        return False
    if new.name == "numeric":
        (digits, scale), (more, wider) = ((*one.modifiers, 0)[:2] for one in (old, new))
        return wider >= scale and more - wider >= digits - scale
    return new.modifiers[0] >= old.modifiers[0]


def keeps_every_value(change: Change, seen: Seen, context: Context) -> bool:
    """True for a change of a column's type that no value can be lost by.

    Both types are known, the new one is wider, and USING makes nothing else of the values.
    """
    index, column = seen.statement.index + 1, unqualified(change.name)
    after = context.seen[index].before if index < len(context.seen) else context.after
    before, then = seen.before.find(change.table), after.find(change.table)
    old, new = (one.columns.get(column) if one else None for one in (before, then))
    if change.verb is not Verb.COLUMN_TYPE or old is None or new is None or not is_wider(old.type, new.type):
        return False
    definitions = (
        one.get("def_")
        for one in seen.statement.tree.each("cmds")
        if one.enum("subtype") == "AT_AlterColumnType" and one.text("name") == column
    )
    return all(one is not None and _takes_over(one, column) for one in definitions)


def _takes_over(definition: Tree, column: str) -> bool:
    """True when the new values are the old ones: without USING, or with the column there, bare or as the new type."""
    using, kind = definition.get("raw_default"), definition.get("typeName")
    if using is not None and using.tag == "TypeCast":
        cast = using.get("typeName")
        if cast is None or kind is None or cast.sql() != kind.sql():  # a type between the two may cut
            return False
        using = using.get("arg")
    return using is None or (
        using.tag == "ColumnRef" and [one.text("sval") for one in using.each("fields")] == [column]
    )


def widened(context: Context) -> list[str]:
    """Return the columns whose type a script changes without a loss, as `table.column`, as the script writes them.

    One whose type it changes more than once is among them only if each time is without.
    """
    found: dict[str, bool] = {}
    for seen in context.seen:
        for change in seen.statement.changes:
            if change.verb is Verb.COLUMN_TYPE:
                name = f"{change.table}.{change.name}"
                found[name] = found.get(name, True) and keeps_every_value(change, seen, context)
    return [name for name, is_kept in found.items() if is_kept]
