"""The ALTER COLUMN TYPE commands of a script, and what each of them is found for: at most one thing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from checks.alterations.commands import Command
from checks.alterations.type_words import type_words
from checks.context import Context
from checks.locks import Work
from checks.model import DataType
from checks.model.types import data_type
from checks.tree import Tree

_TIMES = {"timestamp", "timestamptz"}


class Trouble(StrEnum):
    """What a change of type is found for. Each includes those after it."""

    KEY = "both sides of a foreign key"
    TIME_ZONE = "between timestamps with and without time zone"
    WORK = "work on every row"


@dataclass(frozen=True, slots=True)
class TypeChange:
    """One ALTER COLUMN TYPE. `definition` has the new type, its collation and USING."""

    command: Command
    definition: Tree

    @property
    def new(self) -> DataType:
        """The new type."""
        return data_type(self.definition.get("typeName"), self.command.before)

    @property
    def new_sql(self) -> str:
        """The new type with its collation, as SQL."""
        kind, collation = self.definition.get("typeName"), self.definition.get("collClause")
        return " ".join(part.sql() for part in (kind, collation) if part)

    @property
    def value_sql(self) -> str:
        """What turns the old value into the new one, as SQL."""
        using, kind = self.definition.get("raw_default"), self.definition.get("typeName")
        return using.sql() if using else f"{self.command.sql_name}::{kind.sql() if kind else ''}"

    @property
    def words(self) -> str:
        """The change in words: "id of orders from integer to bigint"."""
        command = self.command
        old = f" from {type_words(command.column.type)}" if command.column else ""
        return f"{command.sql_name} of {command.sql_table}{old} to {self.new_sql}"

    @property
    def trouble(self) -> Trouble | None:
        """What it is found for, or None when it only changes the catalogue."""
        command = self.command
        if any(lock.mode.blocks_reads for lock in command.peers):
            return Trouble.KEY
        if not command.may(Work.REWRITE, Work.SCAN, Work.BUILD, Work.KEY_CHECK):
            return None
        old = command.column.type if command.column else None
        is_time = old is not None and {old.name, self.new.name} == _TIMES and not old.is_array
        if is_time and self.definition.get("raw_default") is None and command.may(Work.REWRITE):
            return Trouble.TIME_ZONE
        return Trouble.WORK


def type_changes(context: Context, trouble: Trouble) -> Iterator[TypeChange]:
    """Yield the changes of type on tables in use that are found for this."""
    for command in context.commands:
        if command.kind == "AT_AlterColumnType" and (definition := command.definition) is not None:
            change = TypeChange(command, definition)
            if change.trouble is trouble:
                yield change
