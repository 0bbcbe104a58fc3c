"""dbmate: `20260102030405_add_total.sql` with `-- migrate:up` and `-- migrate:down` in one file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from checks.layouts.base import Client, MigrationFiles
from checks.layouts.beside import BESIDE
from checks.layouts.errors import (
    DirectiveUnreadable,
    DuplicateVersion,
    NoMigrations,
    UnrecognisedFile,
    is_sql,
    require_utf8,
    sha256,
)
from checks.layouts.sections import only

# All of them are dbmate's own (pkg/dbmate/migration.go and db.go).
_NAME = re.compile(r"(?P<version>[0-9]+).*\.sql", re.DOTALL)
_DIRECTIVE = re.compile(r"^--[^\S\n]*migrate:(?P<part>up|down)(?P<options>[^\S\n][^\n]*)?$", re.MULTILINE)
_UP = re.compile(rb"^--[ \t]*migrate:(?:up|down)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Dbmate:
    """`NUMBER_title.sql`, by the file's name. A file may have several pairs of up and down, each a transaction."""

    name: str = "dbmate"
    folders: tuple[str, ...] = ("db/migrations", "migrations")
    entries: tuple[str, ...] = ()
    client: Client = Client.NONE
    order: str = "by the file's name as text: 10_ comes before 9_; a number is used once"
    transaction_rule: str = "each block in one transaction, unless its line says transaction:false"
    history: str = "schema_migrations: a row per version"

    def matches(self, files: Mapping[str, bytes]) -> bool:
        """True when a numbered SQL file has dbmate's directive."""
        return any(_NAME.fullmatch(path) and _UP.search(files[path]) for path in files if "/" not in path)

    def read(self, files: Mapping[str, bytes]) -> tuple[MigrationFiles, ...]:
        """Return the migrations by the name of their file.

        Raises DirectiveUnreadable, DuplicateVersion, NotUtf8, UnrecognisedFile or NoMigrations.
        """
        versions: dict[str, str] = {}
        for path in sorted(files):
            match = _NAME.fullmatch(path) if "/" not in path else None
            if match is None:
                if path not in BESIDE and is_sql(path):
                    raise UnrecognisedFile(path=path, expected="NUMBER_title.sql")
                continue
            if match["version"] in versions:
                raise DuplicateVersion(version=match["version"], paths=(versions[match["version"]], path))
            versions[match["version"]] = path
        if not versions:
            raise NoMigrations(expected="NUMBER_title.sql")
        found = [_migration(version, path, require_utf8(path, files[path])) for version, path in versions.items()]
        return tuple(sorted(found, key=lambda one: one.paths["forward"].encode()))

    def checksum(self, forward: bytes) -> str:
        """Return the SHA-256 of the forward script: dbmate keeps no checksum."""
        return sha256(forward)


def _migration(version: str, path: str, text: str) -> MigrationFiles:
    directives = list(_DIRECTIVE.finditer(text))
    _require_pairs(path, text, directives)
    head = directives[0].start()
    ends = [*(one.start() for one in directives[1:]), len(text)]
    spans: dict[str, list[tuple[int, int]]] = {"up": [(0, head)], "down": [(0, head)]}
    whole: dict[str, set[bool]] = {"up": set(), "down": set()}
    for directive, end in zip(directives, ends, strict=True):
        spans[directive["part"]].append((directive.start(), end))
        whole[directive["part"]].add(_is_transactional(directive["options"] or ""))
    return MigrationFiles(
        name=path.removesuffix(".sql"),
        version=version,
        forward=only(text, spans["up"]),
        rollback=only(text, spans["down"]),
        paths={"forward": path, "rollback": path},
        is_transactional=_one_answer(whole["up"]),
        is_rollback_transactional=_one_answer(whole["down"]),
    )


def _require_pairs(path: str, text: str, directives: list[re.Match[str]]) -> None:
    """Raise DirectiveUnreadable unless up and down take turns, with nothing but comments before the first."""
    head = text[: directives[0].start()] if directives else ""
    for number, line in enumerate(head.split("\n"), start=1):
        if line.strip() and not line.strip().startswith("--"):
            problem = "there is SQL, or a byte order mark, before the first -- migrate:up"
            raise DirectiveUnreadable(path=path, line=number, problem=problem)
    place, at = 1, 0
    for index, directive in enumerate(directives):
        place, at = place + text.count("\n", at, directive.start()), directive.start()
        if directive["part"] != ("down" if index % 2 else "up"):
            problem = f"-- migrate:{directive['part']} stands where its counterpart should; each up has one down"
            raise DirectiveUnreadable(path=path, line=place, problem=problem)
    if len(directives) % 2:
        raise DirectiveUnreadable(path=path, line=place, problem="this -- migrate:up has no -- migrate:down")
    if not directives:
        raise DirectiveUnreadable(path=path, line=1, problem="there is no line -- migrate:up")


def _is_transactional(options: str) -> bool:
    """Return what the last `transaction:` of a directive says; only "false" is a no."""
    pairs = [option.split(":") for option in options.split()]
    return [pair[1] for pair in pairs if len(pair) == 2 and pair[0] == "transaction"][-1:] != ["false"]  # noqa: PLR2004


def _one_answer(answers: set[bool]) -> bool | None:
    return answers.pop() if len(answers) == 1 else None
