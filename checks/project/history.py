"""What is found about the files of a history and not about a script: order, versions, changes, missing ways back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from checks.comments.directives import Kind as Said
from checks.comments.directives import directives
from checks.errors import Unparsable
from checks.finding import Finding, Group, Rule, Severity
from checks.layouts.base import Kind, MigrationFiles
from checks.statements import holds_statement, parse

_FORWARD, _ROLLBACK = "forward", "rollback"

OUT_OF_ORDER = Rule(
    code="migration-out-of-order",
    title="Migration before others that may be applied",
    severity=Severity.BLOCKING,
    group=Group.SCRIPT,
    why="Tools apply in order. Where the later one is applied already, this one is refused, or left out without a "
    "word, or applied on a schema that it was never tried on.",
    blocks="Nothing: it is not applied.",
    help="Give it a number after the last one of the base, and try it on the schema that is there then.",
    source="the rules of the tools: docs/layouts.md",
    judge=lambda _: (),
    bad="-- 0002_orders.up.sql is at the base; new: 0001_users.up.sql",
    good="-- 0002_orders.up.sql is at the base; new: 0003_users.up.sql",
)
CHANGED = Rule(
    code="migration-changed",
    title="Migration changed after it was there",
    severity=Severity.BLOCKING,
    group=Group.SCRIPT,
    why="Where it is applied already the new text never runs, and the checksum in the history no longer fits. "
    "Databases that begin anew get another schema than those that were there.",
    blocks="Nothing: it is not applied again.",
    help="Put the file back as it was, and make the change in a new migration.",
    source="the rules of the tools: docs/layouts.md",
    judge=lambda _: (),
    bad="-- 0001_users.up.sql differs from the one at the base",
    good="-- 0001_users.up.sql is as it was; 0002_users_email.up.sql is new",
)
DUPLICATE = Rule(
    code="migration-version-twice",
    title="One version, two migrations",
    severity=Severity.WARNING,
    group=Group.SCRIPT,
    why="Which of the two comes first is decided by the rest of the name, or not at all. A tool that knows a "
    "migration by its version applies only one of them. It happens when two branches are merged.",
    blocks="Nothing.",
    help="Give the newer one the next free version.",
    source="the rules of the tools: docs/layouts.md; found in public histories",
    judge=lambda _: (),
    bad="-- 0001_users.up.sql and 0001_orders.up.sql",
    good="-- 0001_users.up.sql and 0002_orders.up.sql",
)
ROLLBACK_MISSING = Rule(
    code="rollback-missing",
    title="Migration without a way back",
    severity=Severity.WARNING,
    group=Group.SCRIPT,
    why="When the release fails after the commit, only a script that was written in peace brings the old schema back "
    "in seconds. Without one the choice is to repair under pressure or to restore a backup.",
    blocks="Nothing.",
    help="Write the script that undoes each statement, in reverse order. Declare what it cannot bring back: -- "
    "locktender: irreversible TABLE.COLUMN: reason.",
    source="measured: of 2,131 rollback scripts of public histories 59 are empty and 239 do not bring the schema back",
    judge=lambda _: (),
    bad="-- 0001_users.up.sql without 0001_users.down.sql",
    good="-- 0001_users.up.sql and 0001_users.down.sql",
)
CONTRACT_UNKNOWN = Rule(
    code="contract-names-nothing",
    title="Contract of a migration that is not there",
    severity=Severity.WARNING,
    group=Group.SCRIPT,
    why="A contract waits until the expand that it names is deployed and has soaked. A name that no migration has is "
    "never deployed: the release is refused, at the moment it was to start.",
    blocks="Nothing: it is not applied.",
    help="Write the name of the migration as its file or folder has it.",
    source="what a release asks of a contract",
    judge=lambda _: (),
    bad="-- locktender: contracts 0001_expnd after 2.6, where there is 0001_expand.up.sql",
    good="-- locktender: contracts 0001_expand after 2.6",
)
HISTORY_RULES = (OUT_OF_ORDER, CHANGED, DUPLICATE, ROLLBACK_MISSING, CONTRACT_UNKNOWN)
"""The texts of these findings; they are found here, not by `Rule.judge`."""


def history_findings(
    now: Sequence[MigrationFiles], *, base: Sequence[MigrationFiles] = (), tip: Sequence[MigrationFiles] = ()
) -> Iterator[tuple[str, Finding]]:
    """Yield what is found about the migrations of a folder, each with the path of its file.

    `now` is in the order in which they are applied. `base` are those that were there where this work began, `tip` those
    that are there in the meantime. What is not in `base` is new.
    """
    known = {one.name: one for one in base}
    new = [one for one in now if one.name not in known]
    meanwhile = [one for one in tip if one.name not in known and one.name not in {two.name for two in now}]
    yield from _changed(now, base)
    yield from _early(now, frozenset(known), meanwhile)
    yield from _twice(now, new, meanwhile)
    yield from _without_way_back(new)
    yield from _unknown_contracts(new, {one.name for one in (*now, *base, *tip)})


def _changed(now: Sequence[MigrationFiles], base: Sequence[MigrationFiles]) -> Iterator[tuple[str, Finding]]:
    present = {one.name: one for one in now}
    for before in base:
        after = present.get(before.name)
        if before.is_repeatable:
            continue
        if after is None:
            told = f"{before.name} was there at the base and is gone. Databases that have it keep it."
            yield _found(before, CHANGED, told)
        elif after.forward != before.forward:
            told = f"{after.name} differs from what is at the base. Where it is applied, it stays as it was."
            yield _found(after, CHANGED, told)


def _early(
    now: Sequence[MigrationFiles], known: frozenset[str], meanwhile: Sequence[MigrationFiles]
) -> Iterator[tuple[str, Finding]]:
    last = max((place for place, one in enumerate(now) if one.name in known and one.kind is Kind.ONCE), default=-1)
    for place, one in enumerate(now):
        if one.name in known or one.kind is not Kind.ONCE:
            continue
        later = now[last] if place < last else next((two for two in meanwhile if _is_before(one, two)), None)
        if later is not None:
            yield _found(one, OUT_OF_ORDER, f"{one.name} comes before {later.name}, which is there already.")


def _twice(
    now: Sequence[MigrationFiles], new: Sequence[MigrationFiles], meanwhile: Sequence[MigrationFiles]
) -> Iterator[tuple[str, Finding]]:
    by_version: dict[str, list[MigrationFiles]] = {}
    for one in (*meanwhile, *now):
        if one.kind is Kind.ONCE and one.version:
            by_version.setdefault(one.version, []).append(one)
    for one in new:
        others = [two for two in by_version.get(one.version, ()) if two.name != one.name and one.kind is Kind.ONCE]
        # Of two new ones the second is told.
        earlier = [two for two in others if two not in new or new.index(two) < new.index(one)]
        if earlier:
            yield _found(one, DUPLICATE, f"{one.name} has the version {one.version}, and so has {earlier[0].name}.")


def _without_way_back(new: Sequence[MigrationFiles]) -> Iterator[tuple[str, Finding]]:
    for one in new:
        if one.kind is not Kind.ONCE or not _does_something(one.forward):
            continue
        if one.rollback is None:
            yield _found(one, ROLLBACK_MISSING, f"{one.name} has no rollback script.")
        elif not _does_something(one.rollback):
            told = f"The rollback script of {one.name} holds no statement."
            yield _found(one, ROLLBACK_MISSING, told, part=_ROLLBACK)


def _unknown_contracts(new: Sequence[MigrationFiles], names: set[str]) -> Iterator[tuple[str, Finding]]:
    for one in new:
        if b"contracts" not in one.forward.lower():
            continue
        try:
            said = directives(parse(one.forward.decode(errors="replace")))
        except Unparsable:
            continue  # its own report says so
        for each in said:
            if each.kind is Said.CONTRACTS and each.argument not in names:
                told = f"{one.name} contracts {each.argument} (line {each.line}), and there is no such migration."
                yield _found(one, CONTRACT_UNKNOWN, told)


def _does_something(script: bytes) -> bool:
    """False when a script holds nothing but comments. One that cannot be parsed is told by its own report."""
    lines = (line.strip() for line in script.splitlines())
    if b"/*" not in script and any(line and not line.startswith(b"--") for line in lines):
        return True  # without parsing it a second time
    try:
        return holds_statement(script.decode(errors="replace"))
    except Unparsable:
        return True


def _is_before(one: MigrationFiles, two: MigrationFiles) -> bool:
    """True when the version of one is a smaller number; what is not made of numbers is not compared."""
    first, second = ([int(part) for part in re.findall(r"\d+", each.version)] for each in (one, two))
    return bool(first) and first < second


def _found(one: MigrationFiles, rule: Rule, message: str, *, part: str = _FORWARD) -> tuple[str, Finding]:
    path = one.paths.get(part) or next(iter(one.paths.values()), one.name)
    return path, Finding(rule.code, rule.severity, message, rule.help, "", line=1, column=1, statement=-1)
