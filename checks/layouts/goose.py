"""goose: `00007_add_total.sql` with `-- +goose Up` and `-- +goose Down` in one file; numbered Go files beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from checks.layouts.base import Client, MigrationFiles, Unknown
from checks.layouts.beside import BESIDE
from checks.layouts.errors import (
    DirectiveUnreadable,
    DuplicateVersion,
    NoMigrations,
    UnrecognisedFile,
    base_name,
    is_sql,
    require_utf8,
    sha256,
)
from checks.layouts.psql import is_open
from checks.layouts.sections import lines_of, only

_NAME = re.compile(r"(?P<version>[0-9]+)_(?P<title>.*)\.(?P<kind>sql|go)", re.DOTALL)
_UP = re.compile(rb"^--[^\n]*\+goose[ \t]+Up[ \t]*\r?$", re.MULTILINE | re.IGNORECASE)
_VARIABLE = "goose puts the value of an environment variable here (ENVSUB ON), which is not known"
_ANNOTATIONS = {
    one.lower(): one
    for one in ("Up", "Down", "StatementBegin", "StatementEnd", "NO TRANSACTION", "ENVSUB ON", "ENVSUB OFF")
}


@dataclass(frozen=True, slots=True)
class Goose:
    """`NUMBER_title.sql`, by number. A Go file is a migration too, and what it does is not known.

    How a file is taken apart is that of goose's own parser (internal/sqlparser/parser.go).
    """

    name: str = "goose"
    folders: tuple[str, ...] = ("db/migrations", "migrations")
    entries: tuple[str, ...] = ()
    client: Client = Client.NONE
    order: str = "by number; a number is used once, by SQL and Go files together"
    transaction_rule: str = "each file in one transaction, unless it says NO TRANSACTION; then every statement alone"
    history: str = "goose_db_version: a row for every step forward and back, the latest of a version_id counts"

    def matches(self, files: Mapping[str, bytes]) -> bool:
        """True when a numbered SQL file has goose's directive."""
        return any(_NAME.fullmatch(path) and is_sql(path) and _UP.search(files[path]) for path in files)

    def read(self, files: Mapping[str, bytes]) -> tuple[MigrationFiles, ...]:
        """Return the migrations by version number. A file without a part Down has no rollback.

        Raises DirectiveUnreadable, DuplicateVersion, NotUtf8, UnrecognisedFile or NoMigrations.
        """
        by_number: dict[int, str] = {}
        for path in sorted(files):
            match = None if "/" in path or path.endswith("_test.go") else _NAME.fullmatch(path)
            if match is None or int(match["version"]) < 1:
                if path not in BESIDE and is_sql(path):
                    raise UnrecognisedFile(path=path, expected="NUMBER_title.sql, with a number above 0")
                continue
            number = int(match["version"])
            if number in by_number:
                raise DuplicateVersion(version=match["version"], paths=(by_number[number], path))
            by_number[number] = path
        if not by_number:
            raise NoMigrations(expected="NUMBER_title.sql")
        return tuple(_migration(path, files[path]) for _, path in sorted(by_number.items()))

    def checksum(self, forward: bytes) -> str:
        """Return the SHA-256 of the forward script: goose keeps no checksum."""
        return sha256(forward)


def _migration(path: str, content: bytes) -> MigrationFiles:
    version = path.partition("_")[0]
    text = require_utf8(path, content)
    if path.endswith(".go"):
        unknown = Unknown(1, "it is written in Go, and what it does is not analysed")
        return MigrationFiles(
            base_name(path).removesuffix(".go"),
            version,
            content,
            paths={"forward": path},
            is_transactional=None,
            is_rollback_transactional=None,
            unknown={"forward": unknown},
        )
    parts = _Parts(path)
    parts.read(text)
    spans = {"forward": [(0, parts.down_at if parts.down_at >= 0 else len(text))]}
    if parts.down_at >= 0:
        spans["rollback"] = [(0, parts.up_at), (parts.down_at, len(text))]
    scripts = {part: only(text, places) for part, places in spans.items()}
    return MigrationFiles(
        name=base_name(path).removesuffix(".sql"),
        version=version,
        forward=scripts["forward"],
        rollback=scripts.get("rollback"),
        paths=dict.fromkeys(scripts, path),
        is_transactional=parts.is_transactional,
        is_rollback_transactional=parts.is_transactional,
        unknown={part: Unknown(line, _VARIABLE) for part, line in parts.variables.items()},
    )


@dataclass(slots=True)
class _Parts:
    """Walks through the lines of one file, as goose does, and keeps where its parts begin, in characters."""

    path: str
    up_at: int = -1
    down_at: int = -1
    is_transactional: bool = True
    variables: dict[str, int] = field(default_factory=dict)  # part -> the first line with a value that is put in
    _block_line: int = 0  # of the StatementBegin that is open
    _is_substituted: bool = False
    _statement: list[str] = field(default_factory=list)  # the lines of the statement that has no end yet
    _statement_line: int = 0

    def read(self, text: str) -> None:
        """Find the parts of a text. Raises DirectiveUnreadable for what goose refuses or would take apart wrongly."""
        at = 0
        for number, line in enumerate(lines_of(text), start=1):
            annotation = self._annotation(line, number)
            if annotation:
                self._follow(annotation, number, at)
            else:
                self._take(line, number)
            at += len(line)
        if self.up_at < 0:
            raise self._refused(1, "there is no line -- +goose Up")
        if self._block_line:
            raise self._refused(self._block_line, "the statement that begins here has no StatementEnd")
        self._require_ended()

    def _annotation(self, line: str, number: int) -> str:
        """Return the directive of a line as goose's manual writes it, or ""."""
        if not (line.strip().startswith("--") and "+goose" in line):
            return ""
        said = line.replace("--", "").replace("+goose", "", 1).strip()
        annotation = _ANNOTATIONS.get(said.lower(), "")
        if line[0] in " \t" or not annotation:
            raise self._refused(number, f"goose does not understand {line.strip()[:60]!r}")
        return annotation

    def _follow(self, annotation: str, number: int, at: int) -> None:
        if annotation == "NO TRANSACTION":
            self.is_transactional = False
        elif annotation.startswith("ENVSUB"):
            self._is_substituted = annotation == "ENVSUB ON"
        elif annotation.startswith("Statement"):
            self._block(annotation, number)
        elif self._block_line:
            raise self._refused(number, f"{annotation} stands between StatementBegin and StatementEnd")
        elif annotation == "Up":
            if self.up_at >= 0:
                raise self._refused(number, "this is the second Up")
            self.up_at = at
        else:
            if self.up_at < 0 or self.down_at >= 0:
                raise self._refused(number, "Down must stand once, after Up")
            self._require_ended()
            self.down_at = at

    def _block(self, annotation: str, number: int) -> None:
        if annotation == "StatementBegin":
            if self._block_line or self.up_at < 0:
                raise self._refused(number, "StatementBegin must stand inside of Up or Down, and not twice")
            self._block_line = number
        else:
            if not self._block_line:
                raise self._refused(number, "StatementEnd without a StatementBegin")
            self._block_line, self._statement = 0, []

    def _take(self, line: str, number: int) -> None:
        """Look at a line of SQL: where goose ends a statement, one must end."""
        if not self._statement and (not line.strip() or line.strip().startswith("--")):
            return
        if self.up_at < 0:
            raise self._refused(number, "there is SQL, or a byte order mark, before -- +goose Up")
        if self._is_substituted and "$" in line:
            self.variables.setdefault("forward" if self.down_at < 0 else "rollback", number)
        if not self._statement:
            self._statement_line = number
        self._statement.append(line)
        if not self._block_line and _ends(line):
            if is_open("".join(self._statement)):
                problem = "goose ends a statement with this line, but PostgreSQL does not; StatementBegin is missing"
                raise self._refused(number, problem)
            self._statement = []

    def _require_ended(self) -> None:
        if self._statement:
            raise self._refused(self._statement_line, "the statement that begins here has no semicolon at its end")

    def _refused(self, line: int, problem: str) -> DirectiveUnreadable:
        return DirectiveUnreadable(path=self.path, line=line, problem=problem)


def _ends(line: str) -> bool:
    """True when goose takes a line for the last of a statement: its last word before a comment has a semicolon."""
    last = ""
    for word in line.split():
        if word.startswith("--"):
            break
        last = word
    return last.endswith(";")
