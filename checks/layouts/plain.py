"""Plain folders: `007_add_total.sql`, each file a migration, run by whatever the team has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from checks.layouts.base import Client, MigrationFiles
from checks.layouts.beside import BESIDE
from checks.layouts.errors import (
    DirectiveUnreadable,
    ForwardMissing,
    NoMigrations,
    RollbackAmbiguous,
    UnrecognisedFile,
    is_sql,
    require_utf8,
    sha256,
)
from checks.layouts.psql import is_framed

_COMPANIONS = ((".down.sql", "rollback"), (".verify.sql", "verify"), (".notes.md", "notes"))
_NUMBER = re.compile(r"[0-9]+")
# Another tool would run a part of such a file; run as it is, it would do everything, and take it back at once.
_FOREIGN = re.compile(
    r"^--[ \t]*(?:\+(?:goose|migrate|micrate)[ \t]+|migrate:|rambler[ \t]+)(?:up|down)\b", re.IGNORECASE | re.MULTILINE
)
_TOOLS_NAMES = re.compile(r"(?:.*\.up|[VUB][0-9][0-9._]*__.*|R__.*)\.sql", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Plain:
    """`NAME.sql`, with `NAME.down.sql` or `rollback/NAME.sql` as the way back, and optional verify and notes files."""

    name: str = "plain"
    folders: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    client: Client = Client.PSQL
    order: str = "by the number that every name begins with, else by name; a number may be shared"
    transaction_rule: str = "not known: it is whatever runs the files; a script with its own BEGIN and COMMIT is one"
    history: str = "not known"

    def matches(self, files: Mapping[str, bytes]) -> bool:
        """True when there are numbered SQL files that no tool's names or directives claim."""
        names = [path for path in files if is_sql(path) and path not in BESIDE and "/" not in path]
        has_forward = any(not name.endswith((".down.sql", ".verify.sql")) for name in names)
        return has_forward and not any(
            not _NUMBER.match(name)
            or _TOOLS_NAMES.fullmatch(name)
            or _FOREIGN.search(files[name].decode("utf-8", errors="replace"))
            for name in names
        )

    def read(self, files: Mapping[str, bytes]) -> tuple[MigrationFiles, ...]:
        """Return the migrations in order. A missing rollback is None; the policy judges it.

        Raises ForwardMissing, RollbackAmbiguous, DirectiveUnreadable, NotUtf8, UnrecognisedFile or NoMigrations.
        """
        migrations: dict[str, dict[str, str]] = {}
        for path in sorted(files):
            named = _named(path)
            if named is None:
                continue
            name, part = named
            _require_own(path, require_utf8(path, files[path]))
            parts = migrations.setdefault(name, {})
            if part in parts:
                raise RollbackAmbiguous(paths=(parts[part], path))
            parts[part] = path
        for name, parts in migrations.items():
            if "forward" not in parts:
                raise ForwardMissing(path=next(iter(parts.values())), expected=f"{name}.sql")
        if not migrations:
            raise NoMigrations(expected="NAME.sql")
        is_numbered = all(_NUMBER.match(name) for name in migrations)
        order = sorted(migrations, key=lambda name: (_number(name) if is_numbered else 0, name))
        return tuple(_migration(name, migrations[name], files) for name in order)

    def checksum(self, forward: bytes) -> str:
        """Return the SHA-256 of the file: nothing is known of a checksum."""
        return sha256(forward)


def _named(path: str) -> tuple[str, str] | None:
    """Return the name and the part that a file is of, or None for what is no part. Raises UnrecognisedFile."""
    folder, _, name = path.rpartition("/")
    if path in BESIDE:
        return None
    if folder == "rollback" and name.endswith(".sql") and not name.startswith("."):
        return name.removesuffix(".sql"), "rollback"
    if not folder and not name.startswith("."):
        for suffix, part in (*_COMPANIONS, (".sql", "forward")):
            if name.endswith(suffix) and name != suffix:
                return name.removesuffix(suffix), part
    if is_sql(path):
        raise UnrecognisedFile(path=path, expected="NAME.sql, NAME.down.sql, NAME.verify.sql or rollback/NAME.sql")
    return None


def _number(name: str) -> int:
    match = _NUMBER.match(name)
    return int(match[0]) if match else 0


def _require_own(path: str, text: str) -> None:
    foreign = _FOREIGN.search(text)
    if foreign:
        line = text.count("\n", 0, foreign.start()) + 1
        problem = f"{foreign[0]!r} is for a tool that runs a part of the file; the layout plain would run all of it"
        raise DirectiveUnreadable(path=path, line=line, problem=problem)


def _migration(name: str, parts: Mapping[str, str], files: Mapping[str, bytes]) -> MigrationFiles:
    content = {part: files[path] for part, path in parts.items()}
    number = _NUMBER.match(name)
    return MigrationFiles(
        name=name,
        version=number[0] if number else "",
        forward=content["forward"],
        rollback=content.get("rollback"),
        verify=content.get("verify"),
        notes=content.get("notes"),
        paths=dict(parts),
        is_transactional=_framed(content["forward"]),
        is_rollback_transactional=_framed(content.get("rollback")),
    )


def _framed(script: bytes | None) -> bool | None:
    """Return True for a script that is one transaction by its own words, else None: nobody knows."""
    return True if script is not None and is_framed(script.decode()) else None
