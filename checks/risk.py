"""The class of a script, safe, controlled or high-risk, from the kinds of its changes, with reasons in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from checks.changes import Verb
from checks.errors import Unparsable
from checks.names import sibling
from checks.statements import Script, Statement


class Risk(StrEnum):
    """How much care a change needs. Ordered: safe < controlled < high-risk."""

    SAFE = "safe"
    CONTROLLED = "controlled"
    HIGH = "high-risk"

    @property
    def rank(self) -> int:
        """The place in the order, 0 for safe."""
        return list(Risk).index(self)

    # A StrEnum would compare by spelling, where "controlled" is less than "safe".
    def __lt__(self, other: str) -> bool:
        return self.rank < Risk(other).rank

    def __le__(self, other: str) -> bool:
        return self.rank <= Risk(other).rank

    def __gt__(self, other: str) -> bool:
        return self.rank > Risk(other).rank

    def __ge__(self, other: str) -> bool:
        return self.rank >= Risk(other).rank


@dataclass(frozen=True, slots=True)
class Classified:
    """A class and why: the reasons of the highest class found, in the order of the script, without repeats."""

    risk: Risk
    reasons: tuple[str, ...]


# Every verb has its class and its sentence; a test sees to it. {s} is the object, {d} the change's detail.
_CLASSES: dict[Verb, tuple[Risk, str]] = {
    Verb.CREATE_TABLE: (Risk.SAFE, "creates table {s}"),
    Verb.CREATE_OBJECT: (Risk.SAFE, "{d} adds an object that nothing uses yet"),
    Verb.COMMENT: (Risk.SAFE, "changes a comment"),
    Verb.GRANT: (Risk.SAFE, "grants privileges"),
    Verb.READ: (Risk.SAFE, "reads only"),
    Verb.RAISE_TIMEOUT: (Risk.CONTROLLED, "raises {s}, or takes its limit away"),
    Verb.SETTING_UNKNOWN: (Risk.HIGH, "changes setting {s}, which is not on the list of harmless ones"),
    Verb.GRANT_BROADLY: (Risk.CONTROLLED, "grants {d}"),
    Verb.REPLACE_FUNCTION: (Risk.CONTROLLED, "may replace {s}, which others may call"),
    Verb.DEFINER_FUNCTION: (Risk.CONTROLLED, "makes {s}, which acts with the rights of its owner (SECURITY DEFINER)"),
    Verb.UNTRUSTED_FUNCTION: (Risk.HIGH, "makes {s} in {d}, a language that is not known to be confined"),
    Verb.MOVE: (Risk.HIGH, "moves {s} to schema {d}"),
    Verb.SETTING: (Risk.SAFE, "changes setting {s}"),
    Verb.MAINTENANCE: (Risk.SAFE, "cleans up or analyses {s} without blocking anyone"),
    Verb.ADD_COLUMN: (Risk.SAFE, "adds nullable {s}"),
    Verb.COLUMN_DEFAULT: (Risk.SAFE, "changes the default of {s}"),
    Verb.DROP_NOT_NULL: (Risk.SAFE, "lets {s} be null"),
    Verb.TABLE_OPTION: (Risk.SAFE, "changes an option of {s}"),
    Verb.ADD_CONSTRAINT_NOT_VALID: (Risk.SAFE, "adds constraint {s} without checking existing rows"),
    Verb.VALIDATE_CONSTRAINT: (Risk.SAFE, "validates constraint {s} without blocking writes"),
    Verb.CREATE_INDEX_CONCURRENTLY: (Risk.SAFE, "builds index {s} concurrently"),
    Verb.REINDEX_CONCURRENTLY: (Risk.SAFE, "rebuilds {s} concurrently"),
    Verb.CREATE_VIEW: (Risk.CONTROLLED, "creates or replaces view {s}, which others may read"),
    Verb.CREATE_PARTITION: (Risk.CONTROLLED, "creates partition {s}, which locks its parent"),
    Verb.DROP_INDEX_CONCURRENTLY: (Risk.CONTROLLED, "drops index {s}; queries that need it become slow"),
    Verb.ADD_COLUMN_HARD: (Risk.CONTROLLED, "adds {s}, which {d}"),
    Verb.ADD_CONSTRAINT: (Risk.CONTROLLED, "adds constraint {s} and checks every row under a lock"),
    Verb.DROP_CONSTRAINT: (Risk.CONTROLLED, "drops constraint {s}"),
    Verb.SET_NOT_NULL: (Risk.CONTROLLED, "makes {s} NOT NULL"),
    Verb.COLUMN_TYPE: (Risk.CONTROLLED, "changes the type of {s} to {d}"),
    Verb.DROP_COLUMN: (Risk.CONTROLLED, "drops {s} and its data"),
    Verb.DROP_TABLE: (Risk.CONTROLLED, "drops table {s} and its data"),
    Verb.DROP_OBJECT: (Risk.CONTROLLED, "drops {d} {s}"),
    Verb.CREATE_INDEX: (Risk.CONTROLLED, "builds index {s} and blocks writes meanwhile"),
    Verb.REINDEX: (Risk.CONTROLLED, "rebuilds {s} and blocks reads and writes meanwhile"),
    Verb.RENAME_COLUMN: (Risk.CONTROLLED, "renames {s} to {d}; running code still uses the old name"),
    Verb.RENAME_TABLE: (Risk.CONTROLLED, "renames {s} to {d}; running code still uses the old name"),
    Verb.RENAME_OBJECT: (Risk.CONTROLLED, "renames {s} to {d}"),
    Verb.ALTER_OBJECT: (Risk.CONTROLLED, "changes {s}: {d}"),
    Verb.INSERT: (Risk.CONTROLLED, "inserts rows into {s}"),
    Verb.UPDATE: (Risk.CONTROLLED, "updates rows of {s}"),
    Verb.DELETE: (Risk.CONTROLLED, "deletes rows of {s}"),
    Verb.MERGE: (Risk.CONTROLLED, "merges rows into {s}"),
    Verb.LOCK: (Risk.CONTROLLED, "locks {s}"),
    Verb.CHANGE_ALL_ROWS: (Risk.HIGH, "{d} may change every row of {s}: nothing limits it"),
    Verb.TRUNCATE: (Risk.HIGH, "empties table {s}"),
    Verb.DROP_SCHEMA: (Risk.HIGH, "drops schema {s} with what is in it"),
    Verb.DROP_CASCADE: (Risk.HIGH, "drops {s} and everything that depends on it (CASCADE)"),
    Verb.REWRITE: (Risk.HIGH, "rewrites {s} under an exclusive lock: {d}"),
    Verb.RESTRUCTURE: (Risk.HIGH, "restructures {s}: {d}"),
    Verb.SESSION_ROLE: (Risk.HIGH, "changes who acts, or which triggers fire: {s}"),
    Verb.TRANSACTION: (Risk.HIGH, "controls the transaction itself: {d}"),
    Verb.COPY_PROGRAM: (Risk.HIGH, "runs a program on the database server: {s}"),
    Verb.PROCEDURE: (Risk.HIGH, "runs code that cannot be analysed: {d}"),
    Verb.UNKNOWN: (Risk.HIGH, "does something that cannot be analysed: {d}"),
}

# What may be done freely to a table that this script has just made: nobody else uses it yet.
_NEVER_EXCUSED = frozenset({Verb.DROP_CASCADE, Verb.SESSION_ROLE, Verb.COPY_PROGRAM, Verb.UNKNOWN, Verb.PROCEDURE,
                            Verb.CREATE_VIEW, Verb.CREATE_PARTITION, Verb.DROP_SCHEMA})  # fmt: skip

# Changes of rows or structure whose locks add up; two such tables in one script can deadlock with the application.
_COUNTED = frozenset(
    verb
    for verb, (risk, _) in _CLASSES.items()
    if risk > Risk.SAFE and verb not in {Verb.CREATE_INDEX, Verb.CREATE_VIEW, Verb.CREATE_PARTITION}
) | {Verb.ADD_COLUMN, Verb.COLUMN_DEFAULT, Verb.DROP_NOT_NULL, Verb.ADD_CONSTRAINT_NOT_VALID}


def classify(script: Script | Unparsable) -> Classified:
    """Return the class of a script and the reasons for it. What could not be parsed is high-risk.

    Sizes and traffic are not known here: they may raise the class later, never lower it.
    """
    if isinstance(script, Unparsable):
        return Classified(Risk.HIGH, (f"the script cannot be analysed: line {script.line}, {script.problem}",))
    found = [item for statement in script.statements for item in _judged(statement)]
    found.extend(_several_tables(script))
    if not found:
        return Classified(Risk.SAFE, ("the script holds no statement",))
    risk = max(item.risk for item in found)
    reasons = dict.fromkeys(reason for item in found if item.risk == risk for reason in item.reasons)
    return Classified(risk, tuple(reasons))


def _judged(statement: Statement) -> Iterator[Classified]:
    for change in statement.changes:
        risk, words = _CLASSES[change.verb]
        if change.verb is Verb.CREATE_TABLE and change.if_not_exists:
            words = "creates table {s} unless it is there"
        if statement.is_new(change.table) and change.verb not in _NEVER_EXCUSED:
            risk = Risk.SAFE
        subject = change.subject or "an object"
        if change.verb in {Verb.CREATE_INDEX, Verb.CREATE_INDEX_CONCURRENTLY}:
            subject = f"{change.name or 'without a name'} on {change.table}"
        if change.verb in {Verb.ADD_CONSTRAINT, Verb.ADD_CONSTRAINT_NOT_VALID}:
            subject = f"{change.constraint} {change.name or 'without a name'} on {change.table}"
        reason = words.format(s=subject, d=change.detail or statement.kind)
        yield Classified(risk, (f"line {statement.line}: {reason}",))


def _several_tables(script: Script) -> Iterator[Classified]:
    changes = [(statement, change) for statement in script.statements for change in statement.changes]
    tables: dict[str, None] = {}
    renamed: dict[str, str] = {}
    # As long as the search path is the usual one, `a` and `public.a` are one table.
    usual = "" if any(change.name == "search_path" for _, change in changes) else "public."
    for statement, change in changes:
        table = change.table.removeprefix(usual)
        if change.table and change.verb in _COUNTED and not statement.is_new(change.table):
            tables.setdefault(renamed.get(table, table))
        if change.verb is Verb.RENAME_TABLE:
            # The same table under its new name is not a second one.
            renamed[sibling(table, change.detail)] = renamed.get(table, table)
    if len(tables) > 1:
        yield Classified(Risk.HIGH, (f"changes {len(tables)} existing tables in one script: {', '.join(tables)}",))
