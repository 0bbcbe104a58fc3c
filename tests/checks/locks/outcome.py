"""What a script does to relations that were there before: as predicted, and as a server told it."""

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from checks.locks import Effects, Work, effects_of
from checks.model import Kind, Name, Schema
from checks.model.replay import replay
from checks.names import split
from checks.statements import parse

NOTICE = {
    Work.REWRITE: re.compile(r'rewriting table "([^"]+)"'),
    Work.SCAN: re.compile(r'verifying table "([^"]+)"'),
    Work.BUILD: re.compile(r'building index "[^"]+" on table "([^"]+)"'),
    Work.KEY_CHECK: re.compile(r'validating foreign key constraint "([^"]+)"'),
}


@dataclass
class Outcome:
    """Relation -> mode, and the relations that are written anew, scanned, indexed; whether foreign keys are checked.

    `maybe` holds what the prediction leaves open. `is_refused` is an error of the server.
    """

    locks: dict[str, str] = field(default_factory=dict)
    work: dict[Work, set[str]] = field(default_factory=lambda: {one: set() for one in Work})
    maybe: dict[Work, set[str]] = field(default_factory=lambda: {one: set() for one in Work})
    is_refused: bool = False
    checks_keys: bool = False
    unknown: tuple[str, ...] = ()
    may_fail: tuple[str, ...] = ()
    possible: dict[str, str] = field(default_factory=dict)

    def differs(self, predicted: "Outcome") -> list[str]:
        """Return how a prediction differs from this measurement, in words; empty where it does not."""
        if self.is_refused and predicted.may_fail:
            return []
        if self.is_refused or predicted.is_refused:
            return (
                [] if self.is_refused == predicted.is_refused else [f"refused: {self.is_refused}, predicted otherwise"]
            )
        found = []
        possible = {one: mode for one, mode in predicted.possible.items() if one not in self.locks}
        if self.locks != {one: mode for one, mode in predicted.locks.items() if one not in possible}:
            names = sorted(self.locks.keys() | predicted.locks.keys())
            found += [
                f"{one}: {self.locks.get(one, 'no lock')}, predicted {predicted.locks.get(one, 'no lock')}"
                for one in names
                if self.locks.get(one) != predicted.locks.get(one) and one not in possible
            ]
        for work in (Work.REWRITE, Work.SCAN, Work.BUILD):
            missed = self.work[work] - predicted.work[work] - predicted.maybe[work]
            invented = predicted.work[work] - self.work[work]
            found += [f"{work} of {one} was not predicted" for one in sorted(missed)]
            found += [f"{work} of {one} was predicted and did not happen" for one in sorted(invented)]
        if self.checks_keys != bool(predicted.work[Work.KEY_CHECK]) and not predicted.maybe[Work.KEY_CHECK]:
            found.append(f"foreign keys checked: {self.checks_keys}, predicted otherwise")
        return found


def predict(script: str, schema: Schema, version: int) -> Outcome:
    """Return what the statements of a script do, together, to what is there before it."""
    outcome, before = Outcome(), schema.relations
    *earlier, last = parse(script).statements
    for statement in earlier:
        _add(outcome, effects_of(statement, schema, version), before)
        schema = replay(schema, statement)
    _add(outcome, effects_of(last, schema, version), before)
    return outcome


def _add(outcome: Outcome, effects: Effects, before: Container[Name]) -> None:
    outcome.is_refused = outcome.is_refused or bool(effects.fails)
    outcome.unknown += effects.unknown + effects.untold
    outcome.may_fail += effects.may_fail
    for lock in effects.locks:
        if lock.relation not in before:
            continue
        name = str(lock.relation)
        outcome.locks[name] = max(outcome.locks.get(name, ""), lock.mode.words, key=_strength)
        if not lock.is_certain:
            outcome.possible[name] = lock.mode.words
        for work in lock.work:
            outcome.work[work].add(name)
        for work in lock.maybe:
            outcome.maybe[work].add(name)
    for index in effects.indexes:
        for work in index.work:
            outcome.work[work].add(str(index.table))


MODES = (
    "", "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE", "ACCESS EXCLUSIVE",
)  # fmt: skip


def _strength(mode: str) -> int:
    return MODES.index(mode)


def add_notices(outcome: Outcome, notices: Iterable[str], before: Iterable[str], written: Iterable[str]) -> None:
    """Read what the server told at DEBUG1. `written` are the tables with new files: their indexes came on the way."""
    anew = frozenset(written)
    called = {split(one)[1]: one for one in before}  # a notice has no schema in its names
    for notice in notices:
        for work, pattern in NOTICE.items():
            if (found := pattern.search(notice)) is None:
                continue
            if work is Work.KEY_CHECK:
                outcome.checks_keys = True
            elif (name := called.get(found[1])) is not None and (work is Work.REWRITE or name not in anew):
                outcome.work[work].add(name)


def tables_of(schema: Schema) -> frozenset[str]:
    """Return the names of what holds rows."""
    return frozenset(str(name) for name, one in schema.relations.items() if one.kind in {Kind.TABLE, Kind.MATERIALIZED})
