"""Comparing a copy that went there and back with the clone, and showing the comparison what it must object to."""

from dataclasses import dataclass

from checks.names import qualified
from checks.rehearsal.declared import Declared
from checks.rehearsal.proof import LABELS, Loss
from checks.rehearsal.rows import Unequal, shown, unequal
from checks.rehearsal.rows import unseen as unseen_rows
from checks.rehearsal.sentences import soft, told
from checks.schema import difference, unseen
from deployments.postgres.connect import Session
from deployments.postgres.rehearsal.counting import Sides
from deployments.postgres.rehearsal.state import State, read_state


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs, as sentences; `remarks` are differences that do not count. `state` is what the copy is now."""

    problems: list[str]
    remarks: list[str]
    state: State


def compare(clone: Session, copy: Session, before: State, may_go: Declared, *, has_more: bool = False) -> Comparison:
    """Return how a copy differs from what the clone was before.

    `has_more`: rows were put in, so those of before must only be among the others. The comparison is shown schemas and
    rows that are not equal each time: where it does not object, it proves nothing, and says so first.
    """
    after = read_state(copy, may_go=may_go, like=before)
    found = difference(before.schema, after.schema)
    blind = [*unseen(after.schema), *unseen_rows(after.content)]
    problems = [f"the comparison did not object to: {what}" for what in blind]
    problems += told(found, staying=may_go.types)
    sides = Sides(clone, copy, before, after)
    for one in unequal(before.content, after.content):
        if told_rows := _rows(one, sides, has_more=has_more):
            problems.append(told_rows)
    return Comparison(problems, list(soft(found)), after)


def _rows(one: Unequal, sides: Sides, *, has_more: bool) -> str:
    """Return the difference in words, "" where there is none but rows that were put in."""
    if one.table is None:
        return one.sentence
    if not has_more:
        return sides.describe(one.table)
    missing = sides.missing(one.table, sides.before.content.rows[one.table].columns)
    if missing is None:
        return "" if one.table in sides.after.content.rows else one.sentence
    return f"{missing:,} rows of {shown(one.table)} that were there before are not as they were" if missing else ""


def only_labels_stay(before: State, after: State, may_go: Declared) -> list[Loss]:
    """Return the enums declared irreversible that have more labels than before."""
    found = []
    for key in sorted(may_go.types):
        name = "type " + ".".join(key)
        was, now = ((one.schema.records.get(name) or {}).get("labels") or [] for one in (before, after))
        if len(now) > len(was):
            found.append(Loss(qualified(*key[1:]), LABELS, len(now) - len(was), len(now)))
    return found
