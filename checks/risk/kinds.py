"""What the kind of a change asks for, as the policy's table says it, and where what is known of the schema decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from checks.changes import Change, Verb
from checks.durations import rows_of
from checks.estimate import Estimate
from checks.locks import Work
from checks.model import Constraint, ConstraintKind
from checks.model.steps.indexes import leftover_of
from checks.names import unqualified
from checks.phases.widening import keeps_every_value
from checks.reading.tables import TYPE_UNTOLD
from checks.risk.values import Classified, Limits, Risk

if TYPE_CHECKING:
    from checks.context import Context, Seen

# Every verb has its class and its sentence; a test sees to it. {s} is the object, {d} the change's detail.
CLASSES: dict[Verb, tuple[Risk, str]] = {
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


_BATCHED = frozenset({Verb.INSERT, Verb.UPDATE, Verb.DELETE, Verb.CHANGE_ALL_ROWS})


@dataclass(frozen=True, slots=True)
class Case:
    """One change with all that is known about it. `kept` are renames whose old name stays."""

    change: Change
    seen: Seen
    estimated: Sequence[Estimate]
    context: Context
    limits: Limits
    kept: frozenset[tuple[int, Change]]


def by_kind(case: Case) -> Classified:
    """Return what a change asks for, with its reason."""
    change, statement = case.change, case.seen.statement
    risk, words = CLASSES[change.verb]
    if change.verb is Verb.CREATE_TABLE and change.if_not_exists:
        words = "creates table {s} unless it is there"
    elif change.verb is Verb.CREATE_TABLE and statement.kind == "CREATE MATERIALIZED VIEW":
        words = "creates materialized view {s}"
    if statement.is_new(change.table) and change.verb not in _NEVER_EXCUSED:
        if risk > Risk.SAFE:
            words = f"{change.verb.value}: {{s}}, on a table that the script itself has made"
        risk = Risk.SAFE
    elif statement.batch is not None and change.verb in _BATCHED:
        # Many changes of a moment each: nobody waits for all of them, but every row has another value afterwards.
        risk, words = Risk.CONTROLLED, f"{{d}} changes rows of {{s}} in batches of at most {statement.batch.size:,}"
    elif known := _KNOWN.get(change.verb):
        risk, words = known(case) or (risk, words)
    subject = change.subject or "an object"
    if change.verb in {Verb.CREATE_INDEX, Verb.CREATE_INDEX_CONCURRENTLY}:
        subject = f"{change.name or 'without a name'} on {change.table}"
    if change.verb in {Verb.ADD_CONSTRAINT, Verb.ADD_CONSTRAINT_NOT_VALID}:
        subject = f"{change.constraint} {change.name or 'without a name'} on {change.table}"
    reason = words.format(s=subject, d=change.detail or statement.kind)
    return Classified(risk, (f"line {statement.line}: {reason}",))


def _index(case: Case) -> tuple[Risk, str] | None:
    """An index that is built in a moment is like one built concurrently. A unique one may still fail."""
    short = all(case.limits.of(one.slow_seconds, one.waiting) is Risk.SAFE for one in case.estimated)
    known = any(one.works and one.bytes is not None for one in case.estimated)
    if short and known and not case.change.unique:
        return Risk.SAFE, "builds index {s}, which is small: writes wait for less than 1 s"
    return None


def _concurrently(case: Case) -> tuple[Risk, str] | None:
    """A unique index refuses what the application could write until now, and may fail on what is there."""
    table = case.seen.before.find(case.change.table)
    leftover = leftover_of(table, case.seen.statement.tree) if table else None
    first = "; Locktender drops the unfinished index of that name first" if leftover else ""
    if case.change.unique:
        told = "builds unique index {s} concurrently: equal rows make it fail and leave it invalid"
        return Risk.CONTROLLED, told + first
    return (Risk.SAFE, CLASSES[Verb.CREATE_INDEX_CONCURRENTLY][1] + first) if leftover else None


def _column(case: Case) -> tuple[Risk, str] | None:
    """A type that was made is no danger by itself: a domain that values can break rewrites, an enum does not."""
    effects = case.seen.effects
    lock = effects.on(case.seen.before.place(case.change.table))
    if case.change.detail != TYPE_UNTOLD or lock is None or effects.unknown or effects.fails:
        return None
    return None if Work.REWRITE in lock.work | lock.maybe else (Risk.SAFE, "adds nullable {s}")


def _constraint(case: Case) -> tuple[Risk, str] | None:
    """A foreign key of a new column has nothing to check: every row has null there."""
    effects = case.seen.effects
    if not case.change.inline or effects.unknown or effects.fails:
        return None
    if not effects.locks or any(lock.work | lock.maybe for lock in effects.locks):
        return None
    return Risk.CONTROLLED, "adds constraint {s}: no row is checked, but the locks have to be had"


def _all_rows(case: Case) -> tuple[Risk, str] | None:
    """A small table can be changed as a whole."""
    schema, rates = case.seen.before, case.context.world.rates
    rows = rows_of(schema.place(case.change.table), schema)
    if rows is None or case.limits.of(rows / rates.rows * rates.slowdown, None) > Risk.SAFE:
        return None
    return Risk.CONTROLLED, f"{{d}} may change every row of {{s}}, about {rows}"


def _type(case: Case) -> tuple[Risk, str] | None:
    """The type of a key is the type of every table that refers to it."""
    schema, column = case.seen.before, unqualified(case.change.name)
    relation = schema.find(case.change.table)
    if relation is None:
        return None
    kept = keeps_every_value(case.change, case.seen, case.context)
    widens = (Risk.CONTROLLED, "changes the type of {s} to {d}: every value stays what it is") if kept else None
    refers = any(_is_key(one, column) for one in relation.constraints.values())
    if not refers and not any(column in one.referenced_columns for _, one in schema.referencing(relation.name)):
        return widens
    return Risk.HIGH, "changes the type of {s} to {d}, a column of a foreign key: both of its tables are locked"


def _is_key(constraint: Constraint, column: str) -> bool:
    return constraint.kind is ConstraintKind.FOREIGN_KEY and column in constraint.columns


def _view(case: Case) -> tuple[Risk, str] | None:
    """A view that replaces none is new: nobody reads it yet, or it keeps an old name alive."""
    tree = case.seen.statement.tree
    return None if tree.tag != "ViewStmt" or tree.flag("replace") else (Risk.SAFE, "creates view {s}")


def _renamed(case: Case) -> tuple[Risk, str] | None:
    if (case.seen.statement.index, case.change) not in case.kept:
        return None
    return Risk.SAFE, "renames {s} to {d} behind a view that keeps the old name"


# Where the schema knows more than the text of the statement.
_KNOWN: dict[Verb, Callable[[Case], tuple[Risk, str] | None]] = {
    Verb.CREATE_INDEX: _index,
    Verb.CREATE_INDEX_CONCURRENTLY: _concurrently,
    Verb.ADD_COLUMN_HARD: _column,
    Verb.ADD_CONSTRAINT: _constraint,
    Verb.CHANGE_ALL_ROWS: _all_rows,
    Verb.COLUMN_TYPE: _type,
    Verb.CREATE_VIEW: _view,
    Verb.RENAME_COLUMN: _renamed,
    Verb.RENAME_TABLE: _renamed,
}
