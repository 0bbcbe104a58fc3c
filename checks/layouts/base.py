"""What every layout gives, and what it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Kind(StrEnum):
    """How often a migration runs: once, again whenever it changed, once in place of all before it, or every time."""

    ONCE = "once"
    REPEATABLE = "repeatable"
    BASELINE = "baseline"
    CALLBACK = "callback"


class Client(StrEnum):
    """What stands between a file and the server: what it takes out of the text, the server never sees."""

    NONE = "none"
    COPY = "copy"  # sends the data of COPY on its own
    PSQL = "psql script"  # that, and has commands of its own


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why what would reach the server cannot be read in the file. `line` counts from 1."""

    line: int
    problem: str


@dataclass(frozen=True, slots=True)
class MigrationFiles:
    """One migration as it lies on disk: the bytes of its scripts. What is missing is None, not empty.

    `name` is unique in its history; `version` is the tool's own, as written, or "" where it has none. `identity` is
    what the tool's history calls it, where that is neither of the two. `paths` are the files it came from, by
    their part: forward, rollback, verify, notes. A script is its whole file, never rewritten. Only where one file holds
    several parts, the other parts are spaces in it: every line and every character stays at its place.

    `is_transactional` says whether the tool itself runs the whole forward script in one transaction, and
    `is_rollback_transactional` the same of the way back; None where it is not one answer, or not known. `unknown` says
    of a part why its SQL is not all in the file.
    """

    name: str
    version: str
    forward: bytes
    rollback: bytes | None = None
    verify: bytes | None = None
    notes: bytes | None = None
    paths: Mapping[str, str] = field(default_factory=dict)
    kind: Kind = Kind.ONCE
    is_transactional: bool | None = True
    is_rollback_transactional: bool | None = True
    unknown: Mapping[str, Unknown] = field(default_factory=dict)
    identity: str = ""

    @property
    def is_repeatable(self) -> bool:
        """True when other bytes under the same name are no mistake: it runs again."""
        return self.kind in {Kind.REPEATABLE, Kind.CALLBACK}


class Layout(Protocol):
    """How one migration tool keeps its files. Paths are those below the folder of the migrations, with `/`."""

    @property
    def name(self) -> str:
        """The name used in settings and on the command line."""
        ...

    @property
    def folders(self) -> tuple[str, ...]:
        """Where in a project its tool keeps the migrations, the likeliest first; () if that is left to the team."""
        ...

    @property
    def entries(self) -> tuple[str, ...]:
        """The only names in that folder that are its tool's; () if everything there is."""
        ...

    @property
    def client(self) -> Client:
        """What the tool takes out of a script before the server sees it."""
        ...

    @property
    def order(self) -> str:
        """In which order the tool applies the migrations, in words."""
        ...

    @property
    def transaction_rule(self) -> str:
        """What the tool runs in one transaction, in words."""
        ...

    @property
    def history(self) -> str:
        """Where in the target the tool keeps what is applied, in words."""
        ...

    def matches(self, files: Mapping[str, bytes]) -> bool:
        """Tell whether these files look like this tool's. Says nothing about whether they are in order."""
        ...

    def read(self, files: Mapping[str, bytes]) -> tuple[MigrationFiles, ...]:
        """Return the migrations in the order they are applied. Raises a CheckError for files that make no sense.

        Nothing but the mapping is looked at, so that it may come from a folder or from a commit.
        """
        ...

    def checksum(self, forward: bytes) -> str:
        """Return the checksum this tool keeps in its history, or the SHA-256 where it keeps none."""
        ...
