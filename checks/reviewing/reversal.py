"""Whether a rollback brings back what its migration changed: both are replayed, and the schemas are compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from checks.changes import Change, Verb
from checks.model import Kind, Name, Relation, Schema
from checks.names import parts, quote
from checks.phases.widening import keeps_every_value
from checks.reading.data import SETVAL
from checks.tree import Tree

if TYPE_CHECKING:
    from checks.context import Context, Seen


@dataclass(frozen=True, slots=True)
class Reversal:
    """What is different after a migration and its rollback, on the model. Empty is as it was.

    `different` are objects in words, `refused` what the server will refuse, `unknown` what the model does not compare.
    The order of columns is not compared, and neither are rows.
    """

    different: tuple[str, ...]
    refused: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lost:
    """Data that a migration destroys. `table` and `column` are SQL; `column` is "" for whole rows. `line` from 1."""

    table: str
    column: str
    line: int
    words: str

    @property
    def name(self) -> str:
        """How a comment declares it irreversible."""
        return f"{self.table}.{self.column}" if self.column else self.table

    def is_declared(self, declared: str) -> bool:
        """True when a name given as SQL means this data: its column, or its whole table."""
        table, named = parts(self.table), parts(declared)
        bare = {table, table[-1:]} | ({("public", *table)} if len(table) == 1 else set())
        return named in bare or bool(self.column and named[-1] == self.column and named[:-1] in bare)


def reversal(forward: Context, rollback: Context) -> Reversal:
    """Return what a rollback does not bring back. It is followed from the schema that its migration leaves behind."""
    before, after = forward.world.schema, rollback.after
    refused = tuple(f"line {seen.statement.line}: {seen.effects.fails}" for seen in rollback.seen if seen.effects.fails)
    doubts = [one for one in after.doubts if one not in before.doubts]
    unknown = dict.fromkeys((*_uncompared(forward), *doubts))
    if not before.is_complete:
        unknown["what the database holds before it"] = None
    return Reversal(tuple(differences(before, after)), refused, tuple(unknown))


def differences(before: Schema, after: Schema) -> Iterator[str]:
    """Yield in words what one schema has that the other has not, or has otherwise."""
    yield from _compared("", before.relations, after.relations, _relations)
    yield from _compared("type ", before.types, after.types, lambda one, was, now: _fields(f"type {one}", was, now))
    yield from _compared("function ", before.functions, after.functions, _changed("function "))
    for words, was, now in (
        ("extension", before.extensions, after.extensions),
        ("schema", before.schemas, after.schemas),
    ):
        yield from (f"{words} {one} is missing" for one in sorted(was - now))
        yield from (f"{words} {one} is left over" for one in sorted(now - was))


def _compared(kind: str, before: Mapping[Any, Any], after: Mapping[Any, Any], compare: Any) -> Iterator[str]:
    if before is after:
        return
    for key, was in before.items():
        if key not in after:
            yield f"{_kind(was) or kind}{key} is missing"
        elif was is not after[key]:
            yield from compare(key, was, after[key])
    yield from (f"{_kind(now) or kind}{key} is left over" for key, now in after.items() if key not in before)


def _kind(value: object) -> str:
    return f"{value.kind} " if isinstance(value, Relation) else ""


def _changed(kind: str) -> Any:
    def compare(key: object, was: object, now: object) -> Iterator[str]:
        if was != now:
            yield f"{kind}{key} is not what it was"

    return compare


def _relations(name: Name, was: Relation, now: Relation) -> Iterator[str]:
    owner = f" of {name}"
    for kind, old, new in (
        ("column", was.columns, now.columns),
        ("constraint", was.constraints, now.constraints),
        ("index", was.indexes, now.indexes),
        ("trigger", was.triggers, now.triggers),
        ("trigger", was.firings, now.firings),
    ):
        named_old, named_new = ({f"{one}{owner}": value for one, value in some.items()} for some in (old, new))
        yield from _compared(f"{kind} ", named_old, named_new, _changed(f"{kind} "))
    yield from _fields(f"{was.kind} {name}", was, now, passed=_COMPARED_BY_NAME)


# What is measured, or says when something was made, is no part of the schema.
_UNCOMPARED = frozenset({"made_in", "size", "traffic", "name"})


_COMPARED_BY_NAME = frozenset({"columns", "constraints", "indexes", "triggers", "firings"})


def _fields(what: str, was: Any, now: Any, *, passed: frozenset[str] = frozenset()) -> Iterator[str]:
    for name in (one.name for one in fields(was)):
        if name not in _UNCOMPARED | passed and getattr(was, name) != getattr(now, name):
            said = name.removeprefix("is_").replace("_", " ")
            yield f"{what}: its {said} {'are not what they were' if said.endswith('s') else 'is not what it was'}"


# They change nothing that could come back, or only rows.
_PASSING = frozenset({
    Verb.READ, Verb.SETTING, Verb.RAISE_TIMEOUT, Verb.SETTING_UNKNOWN, Verb.MAINTENANCE, Verb.LOCK, Verb.COMMENT,
    Verb.INSERT, Verb.UPDATE, Verb.DELETE, Verb.MERGE, Verb.CHANGE_ALL_ROWS, Verb.TRUNCATE, Verb.REINDEX,
    Verb.REINDEX_CONCURRENTLY, Verb.TABLE_OPTION, Verb.VALIDATE_CONSTRAINT, Verb.DROP_NOT_NULL, Verb.SET_NOT_NULL,
    Verb.COLUMN_DEFAULT,
})  # fmt: skip


def _uncompared(context: Context) -> Iterator[str]:
    """Yield the statements whose effect the model does not hold: nobody compares whether they are undone."""
    before = context.world.schema
    for seen in context.seen:
        for change in seen.statement.changes:
            where = f"{seen.statement.kind} in line {seen.statement.line}"
            if change.verb is Verb.REPLACE_FUNCTION:
                if seen.before.place(change.name) in before.functions or not before.is_complete:
                    yield f"the text of {change.name}, which {where} replaces"
            elif change.verb not in _PASSING and not seen.effects.fails and _is_unseen(seen, context):
                existed = not change.table or seen.before.place(change.table) in before.relations
                if existed and seen.statement.kind not in _MEASURES:
                    yield where


_MEASURES = frozenset({"REFRESH MATERIALIZED VIEW", "CLUSTER", "VACUUM"})


def _is_unseen(seen: Seen, context: Context) -> bool:
    index = seen.statement.index + 1
    after = context.seen[index].before if index < len(context.seen) else context.after
    return seen.before == after


def lost(context: Context) -> tuple[Lost, ...]:
    """Return the data that a migration destroys or overwrites, in order; what it has made itself is none.

    Filling a column where it holds nothing (`WHERE column IS NULL`) destroys nothing.
    """
    found: dict[str, Lost] = {}
    for seen in context.seen:
        for change in seen.statement.changes:
            place = seen.before.place(change.table) if change.table else None
            if place is None or seen.statement.is_new(change.table) or seen.before.is_new(place):
                continue
            for column, words in _destroyed(change, seen, context):
                one = Lost(str(place), column, seen.statement.line, words)
                found.setdefault(one.name, one)
    return tuple(found.values())


def _destroyed(change: Change, seen: Seen, context: Context) -> Iterator[tuple[str, str]]:
    relation = seen.before.find(change.table)
    if relation is not None and relation.kind not in {Kind.TABLE, Kind.PARTITIONED, Kind.FOREIGN}:
        return
    verb, detail = change.verb, change.detail
    if verb is Verb.DROP_COLUMN:
        yield change.name, "is dropped"
    elif verb in {Verb.DROP_TABLE, Verb.TRUNCATE} or (verb is Verb.DROP_CASCADE and not change.name):
        yield "", "is emptied" if verb is Verb.TRUNCATE else "is dropped"
    elif verb in {Verb.DELETE, Verb.MERGE} or (verb is Verb.CHANGE_ALL_ROWS and detail in {"DELETE", "MERGE"}):
        yield "", "loses rows"
    elif verb is Verb.UPDATE or (verb is Verb.CHANGE_ALL_ROWS and detail == "UPDATE"):
        yield from ((column, "is overwritten") for column in _overwritten(seen, change))
    elif verb is Verb.COLUMN_TYPE and not keeps_every_value(change, seen, context):
        yield change.name, "changes its type, which may cut values"
    elif detail == SETVAL:
        yield "", "stands elsewhere"


def _overwritten(seen: Seen, change: Change) -> Iterator[str]:
    """Yield the columns that an UPDATE sets where they may hold something."""
    for node in seen.statement.tree.walk():
        if node.tag == "UpdateStmt" and node.relation() == change.table:
            condition = node.get("whereClause")
            arms = condition.each("args") if condition and condition.enum("boolop") == "AND_EXPR" else (condition,)
            empty = {_empty_column(arm) for arm in arms if arm is not None}
            yield from (quote(one.text("name")) for one in node.each("targetList") if one.text("name") not in empty)


def _empty_column(condition: Tree) -> str:
    """Return the column of `column IS NULL`, or ""."""
    named = condition.get("arg")
    if condition.tag != "NullTest" or condition.enum("nulltesttype") != "IS_NULL" or named is None:
        return ""
    return named.each("fields")[-1].text("sval") if named.tag == "ColumnRef" else ""
