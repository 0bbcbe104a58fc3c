"""The columns that a script defines, in new tables and in old ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from checks.context import Context, Seen
from checks.model import DataType
from checks.model.types import data_type, serial_of
from checks.names import quote
from checks.tree import Tree


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """One column as it is written. `table` is SQL; `keys` are the columns of the table's PRIMARY KEY there."""

    seen: Seen
    tree: Tree
    table: str
    keys: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The column as SQL."""
        return quote(self.tree.text("colname"))

    @property
    def type(self) -> DataType:
        """Its type, that of the numbers where it is serial; one without a name where none is written."""
        serial = serial_of(self.tree.get("typeName"))
        return DataType(serial) if serial else data_type(self.tree.get("typeName"), self.seen.before)

    @property
    def is_serial(self) -> bool:
        """True for serial, bigserial and smallserial."""
        return bool(serial_of(self.tree.get("typeName")))

    @property
    def is_key(self) -> bool:
        """True when it is in the PRIMARY KEY."""
        inside = any(one.enum("contype") == "CONSTR_PRIMARY" for one in self.tree.each("constraints"))
        return inside or self.tree.text("colname") in self.keys


def column_definitions(context: Context) -> Iterator[ColumnDefinition]:
    """Yield the columns of every CREATE TABLE and ADD COLUMN, in order."""
    for seen in context.seen:
        tree = seen.statement.tree
        if tree.tag == "CreateStmt":
            parts = tree.each("tableElts")
            keys = tuple(
                key.text("sval")
                for part in parts
                if part.tag == "Constraint" and part.enum("contype") == "CONSTR_PRIMARY"
                for key in part.each("keys")
            )
            for part in parts:
                if part.tag == "ColumnDef":
                    yield ColumnDefinition(seen, part, tree.relation(), keys)
        for command in seen.commands:
            if command.kind == "AT_AddColumn" and (added := command.definition) is not None:
                yield ColumnDefinition(seen, added, command.sql_table)
