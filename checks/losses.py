"""What data scripts would destroy, from their text alone: which tables, how far it reaches, and what cannot be told."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from checks.changes import Change, Verb
from checks.errors import Unparsable
from checks.names import parts, sibling
from checks.reading.data import SETVAL
from checks.reading.tables import CHANGES_ATTRIBUTE
from checks.statements import Statement, parse


class Reach(StrEnum):
    """Which other tables lose data together with the one that is named. Its partitions and children always do."""

    ALONE = "alone"
    DELETES = "deletes"  # those whose foreign keys follow with an ON DELETE action
    UPDATES = "updates"  # those whose foreign keys follow with an ON UPDATE action
    REFERENCES = "references"  # every table that references it: TRUNCATE … CASCADE


@dataclass(frozen=True, slots=True)
class Loss:
    """One table that loses data, or a sequence that loses where it stood.

    `table` is the name it has before the first script runs, as SQL. `anywhere` says that the name has no schema and the
    search path was changed before: any schema may be meant.
    """

    table: str
    reach: Reach
    anywhere: bool = False


@dataclass(frozen=True, slots=True)
class Losses:
    """What is destroyed. `schemas` are dropped with what is in them; `unknown` says what cannot be told, and where."""

    tables: tuple[Loss, ...]
    schemas: tuple[str, ...]
    unknown: tuple[str, ...]


_REACHES: dict[Verb, tuple[Reach, ...]] = {
    Verb.DROP_TABLE: (Reach.ALONE,),
    Verb.DROP_COLUMN: (Reach.ALONE,),
    Verb.COLUMN_TYPE: (Reach.ALONE,),  # the type before is not in the text: any change may cut something off
    Verb.TRUNCATE: (Reach.ALONE,),
    Verb.DELETE: (Reach.DELETES,),
    Verb.UPDATE: (Reach.UPDATES,),
    Verb.MERGE: (Reach.DELETES, Reach.UPDATES),
}
_UNTOLD = frozenset({Verb.PROCEDURE, Verb.UNKNOWN})
# Which sequence, and which columns are of the type, is not in the text.
_UNTOLD_DETAILS = frozenset({SETVAL, CHANGES_ATTRIBUTE})
# Of these a DROP takes columns or tables along that the text does not name.
_WITH_DEPENDENTS = frozenset({"type", "domain", "extension"})


def losses(scripts: Iterable[tuple[str, str]], kept: Collection[tuple[str, str]] = ()) -> Losses:
    """Return what scripts destroy that are run one after the other, each given by its name and its text.

    `kept` are columns whose type a script changes without a loss, as the name of the script and `table.column`: the
    text alone does not tell that. What they have made themselves is no loss. What triggers do is not in the text, so it
    is not told; to drop one, or to switch it off, destroys nothing that is there.
    """
    reading = _Reading()
    for name, text in scripts:
        reading.path_changed = False  # every script has a session of its own
        try:
            statements = parse(text).statements
        except Unparsable as error:
            reading.unknown[f"{name} cannot be read (line {error.line}: {error.problem})"] = None
            continue
        for statement in statements:
            for change in statement.changes:
                if change.verb is Verb.COLUMN_TYPE and (name, f"{change.table}.{change.name}") in kept:
                    continue
                reading.take(change, statement, script=name)
    return Losses(tuple(reading.tables), tuple(reading.schemas), tuple(reading.unknown))


@dataclass(slots=True)
class _Reading:
    """What was found so far. The dictionaries are sets that keep their order."""

    tables: dict[Loss, None] = field(default_factory=dict)
    schemas: dict[str, None] = field(default_factory=dict)
    unknown: dict[str, None] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)  # a name of now -> the name before the first script
    path_changed: bool = False

    def take(self, change: Change, statement: Statement, *, script: str) -> None:
        """Take in one change."""
        named = change.name if _is_sequence(change) else change.table
        table = self._before(named) if named else ""
        if change.verb is Verb.SETTING and change.name == "search_path":
            self.path_changed = True
        elif change.verb is Verb.RENAME_TABLE:
            self.renamed[sibling(change.table, change.detail)] = table
        elif change.verb is Verb.MOVE and change.table:
            self.renamed[f"{change.detail}.{parts(change.table)[-1]}"] = table
        elif change.verb is Verb.DROP_SCHEMA:
            self.schemas[change.name] = None
        elif change.verb in _UNTOLD or change.detail in _UNTOLD_DETAILS:
            self.unknown[f"{script}, line {statement.line}: {change.detail}"] = None
        elif _drops_dependents(change):
            self.unknown[f"{script}, line {statement.line}: DROP {change.detail.upper()} {change.name}"] = None
        elif table and not statement.is_new(change.table):
            anywhere = self.path_changed and len(parts(table)) == 1
            self.tables |= {Loss(table, reach, anywhere): None for reach in _reaches(change)}

    def _before(self, table: str) -> str:
        """Return the name that a table has before the first script. A bare name fits one with a schema, both ways."""
        written = parts(table)
        for name, before in self.renamed.items():
            known = parts(name)
            if name == table or (written[-1] == known[-1] and 1 in {len(written), len(known)}):
                return before
        return table


def _reaches(change: Change) -> tuple[Reach, ...]:
    """Return how far a change destroys data; nothing if it destroys none."""
    if _is_sequence(change):
        return (Reach.ALONE,)  # where it stood
    if change.verb is Verb.TRUNCATE and change.detail == "CASCADE":
        return (Reach.REFERENCES,)
    if change.verb is Verb.INSERT and change.detail:  # ON CONFLICT DO UPDATE
        return (Reach.UPDATES,)
    if change.verb is Verb.DROP_CASCADE:
        return (Reach.ALONE,) if not change.name else ()
    return _REACHES.get(Verb(change.detail.lower()) if change.verb is Verb.CHANGE_ALL_ROWS else change.verb, ())


def _is_sequence(change: Change) -> bool:
    return change.verb in {Verb.DROP_OBJECT, Verb.DROP_CASCADE} and change.detail == "sequence"


def _drops_dependents(change: Change) -> bool:
    if change.verb is Verb.DROP_OBJECT:
        return change.detail == "extension"
    return change.verb is Verb.DROP_CASCADE and change.detail in _WITH_DEPENDENTS
