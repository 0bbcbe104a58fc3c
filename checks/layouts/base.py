"""What every layout gives, and what it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class MigrationFiles:
    """One migration as it lies on disk: raw bytes, never rewritten. What is missing is None, not empty.

    `name` is unique in its history; `version` is the tool's own, as written. `paths` are the files it came from, by
    their part: forward, rollback, verify, notes.
    """

    name: str
    version: str
    forward: bytes
    rollback: bytes | None = None
    verify: bytes | None = None
    notes: bytes | None = None
    paths: Mapping[str, str] = field(default_factory=dict)


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

    def matches(self, files: Mapping[str, bytes]) -> bool:
        """Tell whether these files look like this tool's. Says nothing about whether they are in order."""
        ...

    def read(self, files: Mapping[str, bytes]) -> tuple[MigrationFiles, ...]:
        """Return the migrations in the order they are applied. Raises a CheckError for files that make no sense."""
        ...

    def checksum(self, forward: bytes) -> str:
        """Return the checksum this tool keeps in its history, or the SHA-256 where it keeps none."""
        ...
