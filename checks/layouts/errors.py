"""What the layouts refuse in common, and how a file becomes text."""

from __future__ import annotations

import hashlib
from typing import ClassVar

from checks.errors import CheckError


class ForwardMissing(CheckError):
    """Files of a migration are there, but not its forward script."""

    code: ClassVar[str] = "forward-missing"

    def __init__(self, *, path: str, expected: str) -> None:
        super().__init__(
            f"{path} has no {expected}. What it belongs to would never reach the database, so no migration was read. "
            f"Add the {expected}, or correct the name."
        )


class NotUtf8(CheckError):
    """A file is not UTF-8 text."""

    code: ClassVar[str] = "not-utf-8"

    def __init__(self, *, path: str, byte: int) -> None:
        super().__init__(
            f"{path} is not UTF-8 text: byte {byte} (counted from 0) fits no character. What the database would make "
            "of it depends on settings, so no migration was read. Save the file as UTF-8."
        )


class UnrecognisedFile(CheckError):
    """An SQL file has a name that does not say what it is."""

    code: ClassVar[str] = "unrecognised-file"

    def __init__(self, *, path: str, expected: str) -> None:
        super().__init__(
            f"{path} is not named {expected}. Left out silently it would be missing from the database, so no migration "
            "was read. Rename it, or move it out of the folder."
        )


class NoMigrations(CheckError):
    """The folder holds files, but no migration."""

    code: ClassVar[str] = "no-migrations"

    def __init__(self, *, expected: str) -> None:
        super().__init__(
            f"No file is named {expected}. An empty history is not taken for a database without migrations. "
            "Point to the folder of the migrations, or choose another layout."
        )


class DuplicateVersion(CheckError):
    """Two migrations share one version number."""

    code: ClassVar[str] = "duplicate-version"

    def __init__(self, *, version: str, paths: tuple[str, str]) -> None:
        super().__init__(
            f"Version {version} is used twice, by {paths[0]} and {paths[1]}. Which runs first is undefined, so no "
            "migration was read. Give one of them a new number."
        )


class RollbackAmbiguous(CheckError):
    """A migration has two rollback scripts."""

    code: ClassVar[str] = "rollback-ambiguous"

    def __init__(self, *, paths: tuple[str, str]) -> None:
        super().__init__(
            f"{paths[0]} and {paths[1]} are both the way back of one migration. Which would run against the database "
            "is undefined, so no migration was read. Keep one of them."
        )


class DirectiveUnreadable(CheckError):
    """A line that is meant for the migration tool is not what the tool understands. `line` counts from 1."""

    code: ClassVar[str] = "directive-unreadable"

    def __init__(self, *, path: str, line: int, problem: str) -> None:
        self.line = line
        super().__init__(
            f"{path}, line {line}: {problem}. What would run forward and what back is not certain, so no migration was "
            "read. Correct the line as the tool's manual says."
        )


def require_utf8(path: str, content: bytes) -> str:
    """Return the content of a file as text. Raises NotUtf8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotUtf8(path=path, byte=error.start) from None


def is_sql(path: str) -> bool:
    """True for the name of an SQL file, in any case: some tool or reader would run it."""
    return path.lower().endswith(".sql")


def base_name(path: str) -> str:
    """Return the last part of a path."""
    return path.rpartition("/")[2]


def sha256(content: bytes) -> str:
    """Return the SHA-256 as lower-case hexadecimal: for the tools that keep no checksum of their own."""
    return hashlib.sha256(content).hexdigest()
