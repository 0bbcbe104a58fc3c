"""The tables of a database as far as new rows are derived from them."""

from __future__ import annotations

from dataclasses import dataclass

from checks.rehearsal.declared import Key


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `type` is as format_type writes it, `base` the name of the type without a modifier.

    `identity` and `generated` are as the catalogue has them, "" for neither; `labels` are those of an enum in order.
    """

    number: int
    name: str
    type: str
    is_nullable: bool
    has_default: bool
    identity: str
    generated: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint: `kind` is c, f, p, u or x; `columns` are by name."""

    name: str
    kind: str
    definition: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """One table. `unique` are the columns of its unique indexes, "" in the place of an expression.

    `apart` are all columns that a unique index depends on, also in an expression or a condition.
    """

    oid: int
    key: Key
    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...] = ()
    unique: frozenset[tuple[str, ...]] = frozenset()
    apart: frozenset[str] = frozenset()

    def column(self, number: int) -> Column | None:
        """Return the column of that number in the catalogue, which it keeps when it is renamed."""
        return next((one for one in self.columns if one.number == number), None)
