"""Diesel: a folder per migration, `2026-01-02-030405_add_total/`, with up.sql, down.sql and metadata.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

from checks.layouts.base import Client, MigrationFiles
from checks.layouts.beside import BESIDE
from checks.layouts.errors import (
    DuplicateVersion,
    ForwardMissing,
    NoMigrations,
    UnrecognisedFile,
    is_sql,
    require_utf8,
    sha256,
)

_PARTS = {"up.sql": "forward", "down.sql": "rollback", "verify.sql": "verify", "notes.md": "notes"}
_METADATA = "metadata.toml"


@dataclass(frozen=True, slots=True)
class Diesel:
    """`VERSION_title/up.sql` and its companions, as Diesel's file based migrations are read (diesel_migrations)."""

    name: str = "diesel"
    folders: tuple[str, ...] = ("migrations",)
    entries: tuple[str, ...] = ()
    client: Client = Client.NONE
    order: str = "by the version as text, without its hyphens: what stands before the first underscore"
    transaction_rule: str = (
        "each migration in one transaction, unless its metadata.toml says run_in_transaction = false"
    )
    history: str = "__diesel_schema_migrations: a row per version"

    def matches(self, files: Mapping[str, bytes]) -> bool:
        """True when there is a folder with an up.sql."""
        return any(re.fullmatch(r"[^/.][^/]*/up\.sql", path, re.DOTALL) for path in files)

    def read(self, files: Mapping[str, bytes]) -> tuple[MigrationFiles, ...]:
        """Return the migrations by version. A missing down.sql is None; the policy judges it.

        Raises DuplicateVersion, ForwardMissing, NotUtf8, UnrecognisedFile or NoMigrations.
        """
        folders: dict[str, dict[str, str]] = {}
        for path in sorted(files):
            folder, _, name = path.rpartition("/")
            is_ours = bool(folder) and "/" not in folder and not folder.startswith(".")
            if is_ours:
                parts = folders.setdefault(folder, {})
            if is_ours and name in _PARTS:
                require_utf8(path, files[path])
                parts[_PARTS[name]] = path
            elif path not in BESIDE and is_sql(path):
                raise UnrecognisedFile(path=path, expected="VERSION_title/up.sql, down.sql or verify.sql")
        by_version: dict[str, str] = {}
        for folder, parts in folders.items():
            if "forward" not in parts:
                raise ForwardMissing(path=next(iter(parts.values()), f"{folder}/"), expected="up.sql beside it")
            version = _version(folder)
            if version in by_version:
                raise DuplicateVersion(version=version, paths=(by_version[version], folder))
            by_version[version] = folder
        if not by_version:
            raise NoMigrations(expected="VERSION_title/up.sql")
        return tuple(_migration(folder, folders[folder], files) for _, folder in sorted(by_version.items()))

    def checksum(self, forward: bytes) -> str:
        """Return the SHA-256 of up.sql: Diesel keeps no checksum."""
        return sha256(forward)


def _version(folder: str) -> str:
    return folder.partition("_")[0].replace("-", "")


def _migration(folder: str, parts: Mapping[str, str], files: Mapping[str, bytes]) -> MigrationFiles:
    content = {part: files[path] for part, path in parts.items()}
    is_transactional = _runs_in_transaction(files.get(f"{folder}/{_METADATA}"))
    return MigrationFiles(
        name=folder,
        version=_version(folder),
        forward=content["forward"],
        rollback=content.get("rollback"),
        verify=content.get("verify"),
        notes=content.get("notes"),
        paths=dict(parts),
        is_transactional=is_transactional,
        is_rollback_transactional=is_transactional,
    )


def _runs_in_transaction(metadata: bytes | None) -> bool:
    """Return what metadata.toml says. Diesel takes one without the key for a no, and one it cannot read for a yes."""
    if metadata is None:
        return True
    try:
        said = tomllib.loads(metadata.decode("utf-8")).get("run_in_transaction", False)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return True
    return said if isinstance(said, bool) else True
