"""Pairs of SQL files: `007_add_total.up.sql` with `007_add_total.down.sql`, and optional verify and notes files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from checks.layouts.base import Client, MigrationFiles
from checks.layouts.beside import BESIDE
from checks.layouts.errors import (
    DuplicateVersion,
    ForwardMissing,
    NoMigrations,
    UnrecognisedFile,
    base_name,
    is_sql,
    require_utf8,
    sha256,
)

_NAME = re.compile(r"(?P<version>[0-9]+)_(?P<title>.+)\.(?P<part>up\.sql|down\.sql|verify\.sql|notes\.md)", re.DOTALL)
_PARTS = {"up.sql": "forward", "down.sql": "rollback", "verify.sql": "verify", "notes.md": "notes"}


@dataclass(frozen=True, slots=True)
class SqlPairs:
    """`NUMBER_title.up.sql` and its companions, in one folder, in numeric order of the version."""

    name: str = "sql-pairs"
    folders: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    client: Client = Client.NONE
    order: str = "by number; a number is used once"
    transaction_rule: str = "the whole file in one transaction, unless a statement must run outside of one"
    history: str = "locktender.history: a row per migration (golang-migrate itself: schema_migrations, one row in all)"

    def matches(self, files: Mapping[str, bytes]) -> bool:
        """True when there is a forward file of a pair, or a rollback file that has no plain `NUMBER_title.sql`."""
        for path in files:
            match = _NAME.fullmatch(base_name(path))
            part = match["part"] if match else ""
            if part == "up.sql" or (part == "down.sql" and f"{path.removesuffix('.down.sql')}.sql" not in files):
                return True
        return False

    def read(self, files: Mapping[str, bytes]) -> tuple[MigrationFiles, ...]:
        """Return the migrations by version number. A missing rollback is None; the policy judges it.

        Raises DuplicateVersion, ForwardMissing, NotUtf8, UnrecognisedFile or NoMigrations.
        """
        groups: dict[str, dict[str, str]] = {}  # path without the part's suffix -> part -> path
        versions: dict[str, str] = {}
        for path in sorted(files):
            match = _NAME.fullmatch(base_name(path))
            if match is None:
                if path not in BESIDE and is_sql(path):
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
        return sha256(forward)


def _migration(stem: str, version: str, parts: Mapping[str, str], files: Mapping[str, bytes]) -> MigrationFiles:
    content = {part: files[path] for part, path in parts.items()}
    return MigrationFiles(
        name=base_name(stem),
        version=version,
        forward=content["forward"],
        rollback=content.get("rollback"),
        verify=content.get("verify"),
        notes=content.get("notes"),
        paths=dict(parts),
    )
