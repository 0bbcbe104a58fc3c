"""One ALTER TABLE while it is looked at: its table, what is below that, and all of its commands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from checks.locks.gathering import Gathering
from checks.locks.values import Mode
from checks.model import Kind, Relation
from checks.tree import Tree


@dataclass(frozen=True, slots=True)
class Altering:
    """What every command of one ALTER TABLE may need to know.

    `tables` are those that it changes: its own, and the ones below it unless it says ONLY. `adds` are the columns that
    it adds; `drops` the constraints it drops, `loses_default` the columns whose default goes: the server does that
    first, wherever it is written.
    """

    gathering: Gathering
    relation: Relation
    tables: tuple[Relation, ...]
    commands: tuple[Tree, ...]
    mode: Mode
    only: bool = False
    adds: frozenset[str] = frozenset()
    drops: frozenset[str] = frozenset()
    loses_default: frozenset[str] = frozenset()

    @property
    def stored(self) -> Iterator[Relation]:
        """Yield the tables that hold rows themselves."""
        return (one for one in self.tables if one.kind in {Kind.TABLE, Kind.MATERIALIZED})

    def has_column(self, name: str) -> bool:
        """True when the column is there, or comes with this statement, or its table is not known at all."""
        return name in self.relation.columns or name in self.adds or not self.relation.columns


def named(commands: tuple[Tree, ...], subtype: str) -> frozenset[str]:
    """Return what the commands of one kind name."""
    return frozenset(one.text("name") for one in commands if one.enum("subtype") == subtype)


def added_columns(commands: tuple[Tree, ...]) -> frozenset[str]:
    """Return the names of the columns that the commands add."""
    definitions = (one.get("def_") for one in commands if one.enum("subtype") == "AT_AddColumn")
    return frozenset(one.text("colname") for one in definitions if one)


def after_drops(a: Altering, commands: tuple[Tree, ...]) -> Altering:
    """Return the same ALTER TABLE as its other commands meet it: the server drops first, wherever it is written."""
    columns = named(commands, "AT_DropColumn")
    if not columns and not a.drops:
        return a
    tables = {one.name: _without(one, columns, a.drops) for one in a.tables}
    return replace(a, relation=tables.get(a.relation.name, a.relation), tables=tuple(tables.values()))


def _without(table: Relation, columns: frozenset[str], constraints: frozenset[str]) -> Relation:
    gone = {
        one.name for one in table.constraints.values() if one.name in constraints or columns.intersection(one.columns)
    }
    carried = {table.constraints[one].index for one in gone}
    return replace(
        table,
        columns={name: one for name, one in table.columns.items() if name not in columns},
        constraints={name: one for name, one in table.constraints.items() if name not in gone},
        indexes={name: one for name, one in table.indexes.items() if name not in carried and not columns & one.uses},
    )
