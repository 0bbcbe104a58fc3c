"""What the layouts refuse in common."""

from __future__ import annotations

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


def require_utf8(path: str, content: bytes) -> str:
    """Return the content of a file as text. Raises NotUtf8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotUtf8(path=path, byte=error.start) from None
