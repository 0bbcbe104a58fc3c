"""What of the rows scripts drop can be counted beforehand: whole tables and columns; and what cannot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from checks.changes import Change, Verb
from checks.comments.directives import Kind, directives
from checks.losses import losses
from checks.names import parts
from checks.statements import Statement, parse

_RENAMES = frozenset({Verb.RENAME_TABLE, Verb.RENAME_COLUMN, Verb.MOVE})
_ROWS_CHANGED = {Verb.DELETE: "DELETE", Verb.UPDATE: "UPDATE", Verb.MERGE: "MERGE"}


@dataclass(frozen=True, slots=True)
class Drop:
    """Rows of a table that go, or with a `column` its values. Names are SQL, as the script writes them.

    `derivable` is an SQL expression over a row by which the value can be had again, as its author says; "" for none.
    `is_declared` says that its author declared it irreversible: whoever approved the script accepted that.
    """

    table: str
    column: str = ""
    derivable: str = ""
    is_declared: bool = False

    @property
    def name(self) -> str:
        """The table or column as a page calls it."""
        return f"{self.table}.{self.column}" if self.column else self.table


@dataclass(frozen=True, slots=True)
class Dropped:
    """What scripts drop. `untold` says what they change besides that is not counted, each in a few words."""

    drops: tuple[Drop, ...]
    untold: tuple[str, ...]


def dropped(scripts: Iterable[tuple[str, str]]) -> Dropped:
    """Return what scripts drop that are run one after the other, each given by its name and its text.

    What they have made themselves is no loss. A table or column that gets another name before it goes is untold: the
    name in the text is not the one that is there now. Raises Unparsable.
    """
    given = list(scripts)
    reading = _Reading({}, {}, {}, set())
    for name, text in given:
        script = parse(text)
        for one in directives(script):
            if one.kind is Kind.DERIVABLE:
                reading.derivable[one.argument] = one.reason
            elif one.kind is Kind.IRREVERSIBLE:
                reading.declared.add(one.argument)
        for statement in script.statements:
            for change in statement.changes:
                reading.take(change, statement, script=name)
    untold = (*reading.untold, *losses(given).unknown)
    return Dropped(tuple(reading.as_drops()), tuple(dict.fromkeys(untold)))


@dataclass(slots=True)
class _Reading:
    drops: dict[tuple[str, str], None]
    untold: dict[str, None]
    derivable: dict[str, str]
    declared: set[str]
    is_renamed: bool = False

    def take(self, change: Change, statement: Statement, *, script: str) -> None:
        """Take in one change. After the first renaming nothing is counted: names mean something else by then."""
        if change.verb in _RENAMES:
            self.is_renamed = True
            return
        if statement.is_new(change.table):
            return
        where = f"{script}, line {statement.line}"
        verb = Verb(change.detail.lower()) if change.verb is Verb.CHANGE_ALL_ROWS else change.verb
        drops = self._drops(change, verb)
        if self.is_renamed and (drops or verb in _ROWS_CHANGED):
            self.untold[f"{where}: what {change.subject} was called before"] = None
        elif drops:
            self.drops |= dict.fromkeys(drops)
        elif verb in _ROWS_CHANGED:
            self.untold[f"{where}: the rows that {_ROWS_CHANGED[verb]} changes in {change.table}"] = None
        elif verb is Verb.DROP_SCHEMA:
            self.untold[f"{where}: the tables of schema {change.name}"] = None

    def _drops(self, change: Change, verb: Verb) -> list[tuple[str, str]]:
        if verb is Verb.DROP_COLUMN:
            return [(change.table, change.name)]
        is_table = verb is Verb.DROP_TABLE or (verb is Verb.DROP_CASCADE and change.detail == "table")
        if change.table and (verb is Verb.TRUNCATE or is_table):
            return [(change.table, "")]
        return []

    def as_drops(self) -> Iterator[Drop]:
        """Yield them in order; a column of a table that goes as a whole is part of it."""
        whole = {table for table, column in self.drops if not column}
        for table, column in self.drops:
            if not column or table not in whole:
                name = f"{table}.{column}" if column else table
                is_declared = any(_same(name, one) or _same(table, one) for one in self.declared)
                derivable = next((said for one, said in self.derivable.items() if _same(name, one)), "")
                yield Drop(table, column, derivable, is_declared)


def _same(name: str, said: str) -> bool:
    """Return whether two names may mean the same: one of them may leave the schema out."""
    one, other = parts(name), parts(said)
    length = min(len(one), len(other))
    return abs(len(one) - len(other)) <= 1 and one[-length:] == other[-length:]
