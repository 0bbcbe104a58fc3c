"""Which step of a change without downtime a migration is: it adds, it fills, or it takes away."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from checks.changes import Change, Verb
from checks.phases.compatibility import Compatibility, compatibility
from checks.words import listed

if TYPE_CHECKING:
    from checks.context import Context, Seen
    from checks.model import Schema


class Phase(StrEnum):
    """The steps: expand adds what old code does not notice, migrate moves data, contract takes away what is old."""

    EXPAND = "expand"
    MIGRATE = "migrate"
    CONTRACT = "contract"
    MIXED = "mixed"
    NEITHER = "neither"  # an index, a comment: nothing that an application could notice
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Phased:
    """The phase of a migration, and of each of its statements in order. `words` says why it is that one."""

    phase: Phase
    statements: tuple[Phase, ...]
    words: str


_ROWS = frozenset({Verb.INSERT, Verb.UPDATE, Verb.DELETE, Verb.MERGE, Verb.CHANGE_ALL_ROWS, Verb.TRUNCATE})
_ADDS = frozenset({
    Verb.CREATE_TABLE, Verb.CREATE_PARTITION, Verb.CREATE_VIEW, Verb.CREATE_OBJECT, Verb.ADD_COLUMN,
    Verb.ADD_COLUMN_HARD, Verb.COLUMN_DEFAULT, Verb.DROP_NOT_NULL, Verb.COLUMN_TYPE, Verb.DROP_CONSTRAINT,
    Verb.REPLACE_FUNCTION, Verb.DEFINER_FUNCTION, Verb.RENAME_TABLE, Verb.RENAME_COLUMN, Verb.ALTER_OBJECT,
    Verb.ADD_CONSTRAINT, Verb.ADD_CONSTRAINT_NOT_VALID, Verb.SET_NOT_NULL,
})  # fmt: skip
_UNTOLD = frozenset({Verb.UNKNOWN, Verb.PROCEDURE, Verb.COPY_PROGRAM, Verb.UNTRUSTED_FUNCTION})


def phase_of(context: Context, *, old: Schema | None = None, judged: Compatibility | None = None) -> Phased:
    """Return the phase of a migration. `old` is as in `compatibility`, and `judged` its answer where it is known."""
    judged = judged or compatibility(context, old=old)
    breaking = {one.statement for one in judged.breaks}
    phases = tuple(_phase(seen, is_breaking=seen.statement.index in breaking) for seen in context.seen)
    different = [one for one in (Phase.EXPAND, Phase.MIGRATE, Phase.CONTRACT) if one in phases]
    if Phase.UNKNOWN in phases:
        lines = [
            str(seen.statement.line) for seen, one in zip(context.seen, phases, strict=True) if one is Phase.UNKNOWN
        ]
        return Phased(Phase.UNKNOWN, phases, f"what happens in line {listed(lines)} is not analysed")
    if len(different) > 1:
        return Phased(Phase.MIXED, phases, f"{listed([str(one) for one in different])} in one migration")
    if not different:
        return Phased(Phase.NEITHER, phases, "it changes nothing that an application could notice")
    return Phased(different[0], phases, _WORDS[different[0]])


_WORDS = {
    Phase.EXPAND: "old code does not notice",
    Phase.MIGRATE: "it changes rows, and leaves the schema as it is",
    Phase.CONTRACT: "it takes away or forbids what old code may use",
}


def _phase(seen: Seen, *, is_breaking: bool) -> Phase:
    changes = seen.statement.changes
    if any(change.verb in _UNTOLD for change in changes):
        return Phase.UNKNOWN
    if is_breaking:
        return Phase.CONTRACT
    if any(change.verb in _ROWS and not _is_new(change, seen) for change in changes):
        return Phase.MIGRATE
    return Phase.EXPAND if any(change.verb in _ADDS for change in changes) else Phase.NEITHER


def _is_new(change: Change, seen: Seen) -> bool:
    return seen.statement.is_new(change.table) or seen.before.is_new(seen.before.place(change.table))
