"""Flyway: `V1_2__add_total.sql`, undone by `U1_2__add_total.sql`, repeatable `R__views.sql`, and callbacks."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from checks.layouts.base import Client, Kind, MigrationFiles, Unknown
from checks.layouts.beside import BESIDE
from checks.layouts.errors import (
    DirectiveUnreadable,
    DuplicateVersion,
    ForwardMissing,
    NoMigrations,
    UnrecognisedFile,
    base_name,
    is_sql,
    require_utf8,
)

Key = TypeVar("Key")
Version = tuple[int, ...]

_VERSIONED = re.compile(r"(?P<prefix>[VUB])(?P<version>[0-9]+(?:[._][0-9]+)*)__(?P<title>.*)\.(?i:sql)", re.DOTALL)
_REPEATABLE = re.compile(r"R__(?P<title>.*)\.(?i:sql)", re.DOTALL)
_EVENTS = "Clean|Migrate|EachMigrate|EachMigrateStatement|Undo|EachUndo|EachUndoStatement|Validate|Baseline|Repair|Info"
_CALLBACK = re.compile(
    rf"(?P<event>before(?:{_EVENTS}|Repeatables|CreateSchema|Connect)|after(?:{_EVENTS})(?:Error|OperationFinish)?"
    r"|afterVersioned|afterMigrateApplied|afterConnect|createSchema)(?:__(?P<title>.*))?\.(?i:sql)",
    re.DOTALL,
)
_EXPECTED = "V1__title.sql, U1__title.sql, R__title.sql, B1__title.sql or as a callback"
_CONFIGURED = re.compile(r"[ \t]*(?P<key>executeInTransaction|placeholderReplacement)[ \t]*=(?P<value>.*)")
_PUT_IN = "Flyway puts the value of a placeholder here, which is not known"


@dataclass(frozen=True, slots=True)
class Flyway:
    """Files by their names, wherever below the folder they lie, with Flyway's usual prefixes and separator.

    A baseline stands for everything up to its version, and counts where the files of those versions are gone: only an
    empty database meets it. Callbacks are returned like migrations that run every time.
    """

    name: str = "flyway"
    folders: tuple[str, ...] = ("src/main/resources/db/migration", "db/migration")
    entries: tuple[str, ...] = ()
    client: Client = Client.COPY
    order: str = "by version, compared number by number (1.10 after 1.9, 1.0 is 1); then repeatable ones by description"
    transaction_rule: str = (
        "each file in one transaction; Flyway notices by itself what must run outside of one, "
        "and a .sql.conf beside the file can say executeInTransaction=false"
    )
    history: str = "flyway_schema_history: a row per run, by installed_rank; repeatable ones have no version"

    def matches(self, files: Mapping[str, bytes]) -> bool:
        """True when a file is named as a versioned, baseline or repeatable migration."""
        names = (base_name(path) for path in files)
        return any(_VERSIONED.fullmatch(name) or _REPEATABLE.fullmatch(name) for name in names)

    def read(self, files: Mapping[str, bytes]) -> tuple[MigrationFiles, ...]:
        """Return the migrations as Flyway applies them to a database that is not empty, callbacks around them.

        Raises DirectiveUnreadable, DuplicateVersion, ForwardMissing, NotUtf8, UnrecognisedFile or NoMigrations.
        """
        found = _Found()
        for path in sorted(files):
            found.add(path)
        found.require_whole()
        return tuple(
            _migration(kind, path, found.undo.get(_version_of(path)) if kind is Kind.ONCE else None, files)
            for kind, path in found.in_order()
        )

    def checksum(self, forward: bytes) -> str:
        """Return the CRC-32 over the lines without their ends, as Flyway keeps it: a signed number of 32 bits.

        Of a repeatable migration with placeholders Flyway takes the text with their values, which is not known here.
        """
        text = forward.decode("utf-8", errors="replace").removeprefix("\ufeff")
        value = zlib.crc32(re.sub(r"\r\n|\r|\n", "", text).encode())
        return str(value - (1 << 32) if value >= 1 << 31 else value)


def _version(written: str) -> Version:
    """Return what a version is compared by: its numbers, without zeros at the end."""
    numbers = [int(number) for number in re.split(r"[._]", written)]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def _version_of(path: str) -> Version:
    match = _VERSIONED.fullmatch(base_name(path))
    return _version(match["version"]) if match else ()


@dataclass(frozen=True, slots=True)
class _Found:
    """The paths of a folder, by what they are."""

    versioned: dict[Version, str] = field(default_factory=dict)
    undo: dict[Version, str] = field(default_factory=dict)
    baselines: dict[Version, str] = field(default_factory=dict)
    repeatable: dict[str, str] = field(default_factory=dict)  # description -> path
    callbacks: dict[str, str] = field(default_factory=dict)  # name -> path

    def add(self, path: str) -> None:
        """Put a path to the others of its kind. Raises DuplicateVersion or UnrecognisedFile."""
        name = base_name(path)
        if versioned := _VERSIONED.fullmatch(name):
            kinds = {"V": self.versioned, "U": self.undo, "B": self.baselines}
            _put(kinds[versioned["prefix"]], _version(versioned["version"]), path, versioned["version"])
        elif repeatable := _REPEATABLE.fullmatch(name):
            _put(self.repeatable, repeatable["title"].replace("_", " "), path, f"R__{repeatable['title']}")
        elif _CALLBACK.fullmatch(name):
            _put(self.callbacks, name, path, name)
        elif path not in BESIDE and is_sql(path):
            raise UnrecognisedFile(path=path, expected=_EXPECTED)

    def require_whole(self) -> None:
        """Raise ForwardMissing for an undo without what it undoes, and NoMigrations where there are none."""
        for version, path in self.undo.items():
            if version not in self.versioned:
                raise ForwardMissing(path=path, expected="V file of the same version")
        if not (self.versioned or self.repeatable or self.baselines):
            raise NoMigrations(expected=_EXPECTED)

    def in_order(self) -> Iterator[tuple[Kind, str]]:
        """Yield the paths in the order they run, callbacks before and after everything else."""
        after = [name for name in sorted(self.callbacks) if name.startswith("after")]
        yield from ((Kind.CALLBACK, self.callbacks[name]) for name in sorted(self.callbacks) if name not in after)
        latest = max(self.baselines, default=())
        if latest and not any(version <= latest for version in self.versioned):
            yield Kind.BASELINE, self.baselines[latest]
        yield from ((Kind.ONCE, self.versioned[version]) for version in sorted(self.versioned))
        # Java compares by units of UTF-16.
        described = sorted(self.repeatable, key=lambda description: description.encode("utf-16-be"))
        yield from ((Kind.REPEATABLE, self.repeatable[description]) for description in described)
        yield from ((Kind.CALLBACK, self.callbacks[name]) for name in after)


def _put(paths: dict[Key, str], key: Key, path: str, written: str) -> None:
    if key in paths:
        raise DuplicateVersion(version=written, paths=(paths[key], path))
    paths[key] = path


def _migration(kind: Kind, path: str, undo: str | None, files: Mapping[str, bytes]) -> MigrationFiles:
    paths = {"forward": path, **({"rollback": undo} if undo else {})}
    settings = {part: _settings(f"{one}.conf", files) for part, one in paths.items()}
    version = _VERSIONED.fullmatch(base_name(path))
    unknown = {}
    for part, one in paths.items():
        text = require_utf8(one, files[one])
        placeholder = text.find("${")
        if placeholder >= 0 and settings[part].get("placeholderReplacement", True):
            unknown[part] = Unknown(text.count("\n", 0, placeholder) + 1, _PUT_IN)
    return MigrationFiles(
        name=base_name(path)[: -len(".sql")],
        version=version["version"].replace("_", ".") if version else "",
        forward=files[path],
        rollback=files[undo] if undo else None,
        paths=paths,
        kind=kind,
        is_transactional=settings["forward"].get("executeInTransaction", True),
        is_rollback_transactional=settings.get("rollback", {}).get("executeInTransaction", True),
        unknown=unknown,
    )


def _settings(path: str, files: Mapping[str, bytes]) -> dict[str, bool]:
    """Return what a .sql.conf says about one file, by key. Raises DirectiveUnreadable or NotUtf8."""
    said = {}
    for number, line in enumerate(require_utf8(path, files.get(path, b"")).split("\n"), start=1):
        match = _CONFIGURED.match(line)
        if match:
            value = match["value"].strip().lower()
            if value not in {"true", "false"}:
                problem = f"{match['key']} is neither true nor false"
                raise DirectiveUnreadable(path=path, line=number, problem=problem)
            said[match["key"]] = value == "true"
    return said
