"""Whether every value of one type is a value of another, and reads as it did: then old code notices no change."""

from __future__ import annotations

from checks.model import DataType

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
