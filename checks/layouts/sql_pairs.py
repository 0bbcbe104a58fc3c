"""Pairs of SQL files: `007_add_total.up.sql` with `007_add_total.down.sql`, and optional verify and notes files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from checks.errors import CheckError
from checks.layouts.base import MigrationFiles
from checks.layouts.errors import ForwardMissing, NoMigrations, UnrecognisedFile, require_utf8
from checks.layouts.smoke import SMOKE

_NAME = re.compile(r"(?P<version>[0-9]+)_(?P<title>.+)\.(?P<part>up\.sql|down\.sql|verify\.sql|notes\.md)", re.DOTALL)
_PARTS = {"up.sql": "forward", "down.sql": "rollback", "verify.sql": "verify", "notes.md": "notes"}


class DuplicateVersion(CheckError):
    """Two migrations share one version number."""

    code: ClassVar[str] = "duplicate-version"

    def __init__(self, *, version: str, paths: tuple[str, str]) -> None:
        super().__init__(
            f"Version {version} is used twice, by {paths[0]} and {paths[1]}. Which runs first is undefined, so no "
            "migration was read. Give one of them a new number."
        )


@dataclass(frozen=True, slots=True)
class SqlPairs:
    """`NUMBER_title.up.sql` and its companions, in one folder, in numeric order of the version."""

    name: str = "sql-pairs"
    folders: tuple[str, ...] = ()

    def matches(self, files: Mapping[str, bytes]) -> bool:
        """True when at least one file is a forward or rollback file of a pair."""
        return any(
            (match := _NAME.fullmatch(_base(path))) and match["part"] in {"up.sql", "down.sql"} for path in files
        )

    def read(self, files: Mapping[str, bytes]) -> tuple[MigrationFiles, ...]:
        """Return the migrations by version number. A missing rollback is None; the policy judges it.

        Raises DuplicateVersion, ForwardMissing, NotUtf8, UnrecognisedFile or NoMigrations.
        """
        groups: dict[str, dict[str, str]] = {}  # path without the part's suffix -> part -> path
        versions: dict[str, str] = {}
        for path in sorted(files):
            match = _NAME.fullmatch(_base(path))
            if match is None:
                if path != SMOKE and path.lower().endswith(".sql"):
                    raise UnrecognisedFile(path=path, expected="NUMBER_title.up.sql, .down.sql or .verify.sql")
                continue
            require_utf8(path, files[path])
            stem = path.removesuffix("." + match["part"])
            groups.setdefault(stem, {})[_PARTS[match["part"]]] = path
            versions[stem] = match["version"]
        by_number: dict[int, str] = {}
        for stem, parts in groups.items():
            if "forward" not in parts:
                raise ForwardMissing(path=next(iter(parts.values())), expected=".up.sql file of the same name")
            number = int(versions[stem])
            if number in by_number:
                pair = (groups[by_number[number]]["forward"], parts["forward"])
                raise DuplicateVersion(version=versions[stem], paths=pair)
            by_number[number] = stem
        if not by_number:
            raise NoMigrations(expected="NUMBER_title.up.sql")
        return tuple(_migration(stem, versions[stem], groups[stem], files) for _, stem in sorted(by_number.items()))

    def checksum(self, forward: bytes) -> str:
        """Return the SHA-256 of the forward file as hexadecimal: this layout has no checksum of its own."""
        return hashlib.sha256(forward).hexdigest()


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _migration(stem: str, version: str, parts: Mapping[str, str], files: Mapping[str, bytes]) -> MigrationFiles:
    content = {part: files[path] for part, path in parts.items()}
    return MigrationFiles(
        name=_base(stem),
        version=version,
        forward=content["forward"],
        rollback=content.get("rollback"),
        verify=content.get("verify"),
        notes=content.get("notes"),
        paths=dict(parts),
    )
