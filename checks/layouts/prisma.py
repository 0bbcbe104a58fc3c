"""Prisma: a folder per migration, `20260102030405_add_total/migration.sql`, with rollback, verify and notes files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from checks.layouts.base import Client, MigrationFiles
from checks.layouts.beside import BESIDE
from checks.layouts.errors import (
    ForwardMissing,
    NoMigrations,
    RollbackAmbiguous,
    UnrecognisedFile,
    is_sql,
    require_utf8,
    sha256,
)

_PARTS = {
    "forward": re.compile(r"migration\.sql"),
    "rollback": re.compile(r"rollback\.sql|down\.sql|rollback_.+\.sql", re.DOTALL),
    "verify": re.compile(r"verify\.sql"),
    "notes": re.compile(r"notes\.md"),
}
_VERSION = re.compile(r"[0-9]+")
# Prisma compares names as a dictionary does: "_" and "-" before digits, digits before letters, upper case last.
_PUNCTUATION_FIRST = str.maketrans("_-", "\x00\x01")


@dataclass(frozen=True, slots=True)
class Prisma:
    """`FOLDER/migration.sql` and its companions, in the order Prisma applies them: that of the folders' names.

    Two folders may share a timestamp, as they do after two branches were merged: the whole name orders them, and a
    folder that was applied cannot be renamed, because its name is its key in Prisma's history.
    """

    name: str = "prisma"
    folders: tuple[str, ...] = ("prisma/migrations", "migrations")
    entries: tuple[str, ...] = ()
    client: Client = Client.NONE
    order: str = "by the folder's name, as Prisma compares names"
    transaction_rule: str = (
        "the whole file is sent at once, which the server runs in one transaction; "
        "what must run outside of one has to be the only statement"
    )
    history: str = "_prisma_migrations: a row per folder; applied when finished_at is set and rolled_back_at is not"

    def matches(self, files: Mapping[str, bytes]) -> bool:
        """True when there is Prisma's lock file, or a folder with a migration.sql."""
        return any(path == "migration_lock.toml" or re.fullmatch(r"[^/]+/migration\.sql", path) for path in files)

    def read(self, files: Mapping[str, bytes]) -> tuple[MigrationFiles, ...]:
        """Return the migrations by the name of their folder. A missing rollback is None; the policy judges it.

        Raises RollbackAmbiguous, ForwardMissing, NotUtf8, UnrecognisedFile or NoMigrations.
        """
        migrations: dict[str, dict[str, str]] = {}  # folder -> part -> path
        for path in sorted(files):
            folder, _, name = path.rpartition("/")
            part = _part(name) if folder and "/" not in folder else None
            if folder:
                migrations.setdefault(folder.partition("/")[0], {})  # Prisma takes every folder for a migration
            if part is None:
                _require_nothing_to_run(path)
                continue
            parts = migrations[folder]
            if part in parts:
                raise RollbackAmbiguous(paths=(parts[part], path))
            require_utf8(path, files[path])
            parts[part] = path
        if not migrations:
            raise NoMigrations(expected="FOLDER/migration.sql")
        return tuple(_migration(folder, migrations[folder], files) for folder in sorted(migrations, key=_place))

    def checksum(self, forward: bytes) -> str:
        """Return the SHA-256 of migration.sql as lower-case hexadecimal, as Prisma keeps it."""
        return sha256(forward)


def _part(name: str) -> str | None:
    """Return which part of a migration a file of this name is; None for any other."""
    return next((part for part, form in _PARTS.items() if form.fullmatch(name)), None)


def _require_nothing_to_run(path: str) -> None:
    if path not in BESIDE and is_sql(path):
        expected = "FOLDER/migration.sql, nor rollback.sql, down.sql, rollback_NAME.sql or verify.sql in such a folder"
        raise UnrecognisedFile(path=path, expected=expected)


def _place(folder: str) -> tuple[str, str]:
    """Return what a folder is ordered by; where names differ in case alone, the lower comes first."""
    return folder.translate(_PUNCTUATION_FIRST).casefold(), folder.swapcase()


def _migration(folder: str, parts: Mapping[str, str], files: Mapping[str, bytes]) -> MigrationFiles:
    if "forward" not in parts:
        raise ForwardMissing(path=next(iter(parts.values()), f"{folder}/"), expected="migration.sql beside it")
    content = {part: files[path] for part, path in parts.items()}
    version = _VERSION.match(folder)
    return MigrationFiles(
        name=folder,
        version=version[0] if version else folder,
        forward=content["forward"],
        rollback=content.get("rollback"),
        verify=content.get("verify"),
        notes=content.get("notes"),
        paths=dict(parts),
    )
