"""What is looked at around a migration without anybody asking: constraints, indexes, foreign keys, counted rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, TypeVar

from checks.changes import Verb
from checks.integrity.verdicts import Judged, Verdict, rows_in_words
from checks.names import split
from checks.statements import changes_of

_ROWS = frozenset(
    {Verb.INSERT, Verb.UPDATE, Verb.DELETE, Verb.MERGE, Verb.CHANGE_ALL_ROWS, Verb.TRUNCATE, Verb.RESTRUCTURE,
     Verb.ALTER_OBJECT}
)  # fmt: skip
# A partition that comes or goes changes what its parent holds.
_ELSEWHERE = _ROWS | {Verb.CREATE_PARTITION, Verb.DROP_TABLE, Verb.DROP_CASCADE, Verb.DROP_SCHEMA}
_ANYTHING = frozenset({Verb.PROCEDURE, Verb.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Item:
    """A constraint or an index of a table: whether the server holds it as valid.

    `may_be_invalid` is the index of a partitioned table: invalid until every partition has its part.
    """

    table: str
    name: str
    is_valid: bool
    may_be_invalid: bool = False


@dataclass(frozen=True, slots=True)
class Orphans:
    """How many rows of a foreign key refer to nothing. `count` is None when they were not counted; `reason` says why.

    `is_valid` when the server itself has checked every row.
    """

    table: str
    name: str
    is_valid: bool
    count: int | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """How many rows a table has. `count` is None when they were not counted; `reason` says why."""

    table: str
    count: int | None
    is_estimate: bool = False
    reason: str = ""

    @property
    def name(self) -> str:
        """A table is looked at once: nothing more tells it apart."""
        return ""


Thing = TypeVar("Thing", Item, Orphans, Rows)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of the tables that a plan touches. Tables are written with their schema, quoted where needed."""

    constraints: tuple[Item, ...] = ()
    indexes: tuple[Item, ...] = ()
    orphans: tuple[Orphans, ...] = ()
    rows: tuple[Rows, ...] = ()

    @classmethod
    def of_evidence(cls, evidence: Mapping[str, Any]) -> Found:
        """Return what `noted` or `compared` made evidence of; of an evidence without it, nothing."""
        return cls(
            constraints=_things(Item, evidence.get("constraints", ())),
            indexes=_things(Item, evidence.get("indexes", ())),
            orphans=_things(Orphans, evidence.get("orphans", ())),
            rows=_things(Rows, evidence.get("rows", ())),
        )


def noted(found: Found) -> dict[str, list[dict[str, Any]]]:
    """Return what was found as evidence, to be compared later: nothing is judged yet."""
    return {
        "constraints": [_evidence(one, _note_item(one)) for one in found.constraints],
        "indexes": [_evidence(one, _note_item(one)) for one in found.indexes],
        "orphans": [_evidence(one, _note_orphans(one)) for one in found.orphans],
        "rows": [_evidence(one, _note_rows(one)) for one in found.rows],
    }


def compared(before: Found, after: Found, changes: RowChanges) -> dict[str, list[dict[str, Any]]]:
    """Return what became of everything as evidence, each with its verdict."""
    return {
        "constraints": _compared(before.constraints, after.constraints, judge_constraint),
        "indexes": _compared(before.indexes, after.indexes, judge_index),
        "orphans": _compared(before.orphans, after.orphans, judge_orphans),
        "rows": _compared(before.rows, after.rows, lambda was, now: judge_rows(was, now, changes)),
    }


def judge_constraint(before: Item | None, after: Item | None) -> Judged:
    """Return what became of one constraint; at least one of the two is there."""
    if after is None:
        return Judged(Verdict.NOTED, "It is gone.")
    if after.is_valid:
        return Judged(Verdict.PASSED, "Valid." if before else "New, and valid.")
    if before is None:
        return Judged(Verdict.NOTED, "New, and to be validated: rows from before it was made may break it.")
    if before.is_valid:
        return Judged(Verdict.FAILED, "It was valid before and is not valid now.")
    return Judged(Verdict.NOTED, "To be validated, as before.")


def judge_index(before: Item | None, after: Item | None) -> Judged:
    """Return what became of one index; at least one of the two is there."""
    if after is None:
        return Judged(Verdict.NOTED, "It is gone.")
    if after.is_valid:
        return Judged(Verdict.PASSED, "Valid." if before else "New, and valid.")
    if after.may_be_invalid:
        return Judged(Verdict.NOTED, "Not on every partition yet.")
    if before is not None and not before.is_valid:
        return Judged(Verdict.NOTED, "Invalid, as before: it is kept up to date, and no query uses it.")
    return Judged(Verdict.FAILED, "It is invalid: it is kept up to date, and no query uses it.")


def judge_orphans(before: Orphans | None, after: Orphans | None) -> Judged:
    """Return what rows that refer to nothing mean. A new foreign key that the server has checked began with none."""
    if after is None:
        return Judged(Verdict.NOTED, "The foreign key is gone.")
    if after.count is None:
        return Judged(Verdict.NOT_MEASURED, after.reason)
    if after.count == 0:
        return Judged(Verdict.PASSED, "Every row refers to one that is there.")
    found = _orphans(after.count)
    known = (0 if after.is_valid else None) if before is None else before.count
    if known is None:
        return Judged(Verdict.NOTED, f"{found}; how many it was before is not known.")
    if after.count > known:
        return Judged(Verdict.FAILED, f"{found}; before it was {known}.")
    return Judged(Verdict.NOTED, f"{found}, not more than before ({known}).")


@dataclass(frozen=True, slots=True)
class RowChanges:
    """Which tables the scripts of a plan change rows of, as far as their text says it."""

    tables: frozenset[str]
    has_any: bool  # also those that reach other tables, through a trigger, a cascade or a partition
    may_be_any: bool  # procedural code, or a function that is not known

    def touch(self, table: str) -> bool:
        """Return whether a statement names this table, which is given with its schema, or may mean it."""
        schema, name = split(table)
        return self.may_be_any or any(split(one) in {("", name), (schema, name)} for one in self.tables)


def row_changes(scripts: Iterable[str]) -> RowChanges:
    """Return what these scripts do to rows. Raises Unparsable."""
    changes = [change for script in scripts for change in changes_of(script)]
    return RowChanges(
        tables=frozenset(change.table for change in changes if change.verb in _ROWS),
        has_any=any(change.verb in _ELSEWHERE for change in changes),
        may_be_any=any(change.verb in _ANYTHING for change in changes),
    )


def judge_rows(before: Rows | None, after: Rows | None, changes: RowChanges) -> Judged:
    """Return what the rows of one table before and after say. They never fail anything; one of the two is there."""
    if after is None:
        return Judged(Verdict.NOTED, "The table is gone.")
    if after.count is None:
        return Judged(Verdict.NOT_MEASURED, after.reason)
    if before is None:
        return Judged(Verdict.NOTED, f"The table is new{', this is an estimate' if after.is_estimate else ''}.")
    return Judged(Verdict.NOTED, _moved(before, after, changes))


def _moved(before: Rows, after: Rows, changes: RowChanges) -> str:
    if before.count is None:
        return "Estimate; not measured before." if after.is_estimate else "Not measured before."
    if before.is_estimate or after.is_estimate:
        return f"Estimate; {before.count} before. Estimates do not tell a difference."
    if before.count == after.count:
        return "As many as before."
    if changes.touch(after.table):
        return f"{before.count} before: changed by this plan or by traffic."
    if changes.has_any:
        return f"{before.count} before: moved by traffic, or by what this plan does elsewhere."
    return f"{before.count} before: moved by traffic."


def _compared(
    before: Sequence[Thing], after: Sequence[Thing], judge: Callable[[Thing | None, Thing | None], Judged]
) -> list[dict[str, Any]]:
    was = {(one.table, one.name): one for one in before}
    now = {(one.table, one.name): one for one in after}
    return [
        _evidence(now.get(key) or was[key], judge(was.get(key), now.get(key)), is_gone=key not in now)
        for key in sorted(was.keys() | now.keys())
    ]


def _evidence(thing: Item | Orphans | Rows, judged: Judged, *, is_gone: bool = False) -> dict[str, Any]:
    return asdict(thing) | {"is_gone": is_gone, "verdict": str(judged.verdict), "detail": judged.detail}


def _things(kind: type[Thing], entries: Iterable[Mapping[str, Any]]) -> tuple[Thing, ...]:
    names = [field.name for field in fields(kind)]
    return tuple(kind(**{name: entry[name] for name in names}) for entry in entries)


def _note_item(item: Item) -> Judged:
    return Judged(Verdict.NOTED, "Valid." if item.is_valid else "Not valid.")


def _note_orphans(orphans: Orphans) -> Judged:
    if orphans.count is None:
        return Judged(Verdict.NOT_MEASURED, orphans.reason)
    return Judged(Verdict.NOTED, f"{_orphans(orphans.count)}.")


def _note_rows(rows: Rows) -> Judged:
    if rows.count is None:
        return Judged(Verdict.NOT_MEASURED, rows.reason)
    return Judged(Verdict.NOTED, "Estimate." if rows.is_estimate else "Counted.")


def _orphans(count: int) -> str:
    return f"{rows_in_words(count)} {'refers' if count == 1 else 'refer'} to nothing"
