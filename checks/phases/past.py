"""What old application code knows of the schema, while a script goes on changing it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from checks.changes import Change, Verb
from checks.model import Column, Name, Relation, Schema
from checks.names import unqualified
from checks.phases.triggers import Keeping, keeping

if TYPE_CHECKING:
    from checks.context import Context, Seen


class Doubt(str):
    """Words about what nobody can tell from here."""

    __slots__ = ()


@dataclass(slots=True)
class Past:
    """The schema that old code was written for, and what became of its names so far.

    `kept` are renames whose old name stays. `functions` are those that the script has made, where they can be read.
    """

    context: Context
    old: Schema
    kept: frozenset[tuple[int, Change]]
    functions: dict[Name, Keeping | None] = field(default_factory=dict)
    _first: dict[Name, Name] = field(default_factory=dict)
    _added: set[tuple[Name, str]] = field(default_factory=set)
    _renamed: dict[str, None] = field(default_factory=dict)  # columns that go by this name now

    def take(self, seen: Seen) -> None:
        """Take in a statement before it is judged."""
        for change in seen.statement.changes:
            if change.verb is Verb.RENAME_TABLE and change.table:
                place = seen.before.place(change.table)
                self._first[Name(place.schema, unqualified(change.detail))] = self._first.get(place, place)
            elif change.verb is Verb.RENAME_COLUMN:
                self._renamed[unqualified(change.detail)] = None
            elif change.verb in {Verb.ADD_COLUMN, Verb.ADD_COLUMN_HARD}:
                self._added.add((seen.before.place(change.table), unqualified(change.name)))
        if seen.statement.tree.tag == "CreateFunctionStmt":
            name = seen.before.place(seen.statement.tree.dotted("funcname"))
            self.functions[name] = keeping(seen.statement.tree)

    def knows_table(self, change: Change, seen: Seen) -> bool:
        """True when old code may use the table: neither the script made it nor another that old code does not know."""
        place = seen.before.place(change.table)
        if not change.table or seen.statement.is_new(change.table) or seen.before.is_new(place):
            return False
        first = self._first.get(place, place)
        return not self.old.is_complete or first in self.old.relations or first not in self._made()

    def knows_column(self, change: Change, seen: Seen, column: str) -> bool:
        """True when old code may use a column, given bare: it is not known to be newer than that code."""
        if not self.knows_table(change, seen):
            return False
        place = seen.before.place(change.table)
        known = self.old.relations.get(self._first.get(place, place))
        if known is not None and known.columns:
            return column in known.columns or column in self._renamed
        return (place, column) not in self._added

    def column(self, change: Change, seen: Seen) -> Column | None:
        """Return a column as it is before its statement, or None where it is not known."""
        relation = seen.before.find(change.table)
        return relation.columns.get(unqualified(change.name)) if relation else None

    def after(self, seen: Seen) -> Schema:
        """Return the schema that a statement leaves behind."""
        index = seen.statement.index + 1
        return self.context.seen[index].before if index < len(self.context.seen) else self.context.after

    def in_the_end(self, name: Name) -> Relation | None:
        """Return what stands under a name after the script."""
        return self.context.after.relations.get(name)

    def _made(self) -> frozenset[Name]:
        """Return the relations that old code does not know though the script did not make them."""
        return frozenset(self.context.world.schema.relations.keys() - self.old.relations.keys())


def is_replaced(name: Name, seen: Seen, past: Past) -> bool:
    """True when something with every column of what is dropped stands under its name when the transaction ends."""
    before, end = seen.before.relations.get(name), past.in_the_end(name)
    if before is None or end is None or not past.context.is_one_transaction:
        return False
    # A view in the place of a table may not show every row, and not be written to.
    return before.is_table == end.is_table and bool(end.columns) and before.columns.keys() <= end.columns.keys()
