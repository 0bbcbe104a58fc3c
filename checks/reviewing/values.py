"""The values of a review: what is looked at, and what came of each item of the checklist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from checks.context import World
from checks.layouts.base import MigrationFiles
from checks.model import Schema
from checks.phases.contracts import Contract


class ItemOutcome(StrEnum):
    """What came of one item. Not known is never met."""

    MET = "met"
    NOT_MET = "not met"
    NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the checklist: what is asked, what came of it, why in words, and what was looked at."""

    code: str
    title: str
    outcome: ItemOutcome
    words: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CiResult:
    """What CI reported about the application's tests on the commit of the migration. `source` says who, and where."""

    passed: bool
    source: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What a checklist is about: the files of one migration, the world before it, and what others know.

    `old` is the schema that the running application was written for; without it, the one before the migration.
    `contracts` are what this migration takes away, and `is_ready` whether their time has come, None where nobody
    looked. `tests` is None when CI reported nothing.
    """

    files: MigrationFiles
    world: World
    old: Schema | None = None
    contracts: Sequence[Contract] = ()
    is_ready: bool | None = None
    tests: CiResult | None = None
