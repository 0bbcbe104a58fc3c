"""Reads a folder of migration files into memory, and nothing outside that folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from checks.errors import CheckError

MAX_FILE_BYTES = 5_000_000
MAX_FILES = 20_000


class FolderMissing(CheckError):
    """There is no such folder."""

    code: ClassVar[str] = "folder-missing"

    def __init__(self, *, folder: Path) -> None:
        super().__init__(
            f"There is no folder {folder}. No migration was read, so nothing is known about the database's future. "
            "Correct the path, or make the folder readable."
        )


class FolderEmpty(CheckError):
    """The folder holds no file at all."""

    code: ClassVar[str] = "folder-empty"

    def __init__(self, *, folder: Path) -> None:
        super().__init__(
            f"The folder {folder} holds no file. An empty folder is not taken for a database without migrations. "
            "Point to the folder the migration tool writes to."
        )


class SymlinkOutside(CheckError):
    """A symbolic link leads out of the folder, or nowhere."""

    code: ClassVar[str] = "symlink-outside"

    def __init__(self, *, path: str) -> None:
        super().__init__(
            f"{path} is a symbolic link to a place outside the folder, or to nothing. What it holds could change "
            "without a trace, so no migration was read. Replace the link by the file itself."
        )


class FileTooLarge(CheckError):
    """One file is larger than any migration should be."""

    code: ClassVar[str] = "file-too-large"

    def __init__(self, *, path: str, size_bytes: int) -> None:
        super().__init__(
            f"{path} has {size_bytes} bytes, more than {MAX_FILE_BYTES}. No migration was read. "
            "Move the data out of the migration, or split the file."
        )


class TooManyFiles(CheckError):
    """The folder holds more files than a migration history should."""

    code: ClassVar[str] = "too-many-files"

    def __init__(self, *, folder: Path) -> None:
        super().__init__(
            f"The folder {folder} holds more than {MAX_FILES} files. No migration was read. "
            "Point to the folder of the migrations, not to the whole project."
        )


class FileUnreadable(CheckError):
    """A file or folder could not be opened."""

    code: ClassVar[str] = "file-unreadable"

    def __init__(self, *, path: str, problem: str) -> None:
        super().__init__(
            f"{path} could not be read: {problem}. No migration was read, because one that is left out would be "
            "missing from the plan. Make it readable and try again."
        )


def read_folder(path: Path) -> dict[str, bytes]:
    """Return the regular files below a folder by their path in it (with `/`), sorted by path.

    Raises a CheckError: FolderMissing, FolderEmpty, SymlinkOutside, FileTooLarge (more than MAX_FILE_BYTES),
    TooManyFiles, or FileUnreadable. Links to folders are not followed; devices, pipes and sockets are passed over.
    """
    if not path.is_dir():
        raise FolderMissing(folder=path)
    root = path.resolve()
    files: dict[str, bytes] = {}
    for number, entry in enumerate(_entries(root), start=1):
        if number > MAX_FILES:
            raise TooManyFiles(folder=path)
        if entry.is_file():
            name = entry.relative_to(root).as_posix()
            files[name] = _read(entry, name)
    if not files:
        raise FolderEmpty(folder=path)
    return dict(sorted(files.items()))


def _entries(root: Path) -> Iterator[Path]:
    """Yield everything below a folder that is no folder itself, refusing links that lead out."""
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            children = sorted(folder.iterdir())
        except OSError as error:
            raise FileUnreadable(path=str(folder), problem=error.strerror or "unknown reason") from error
        for child in children:
            if child.is_symlink():
                _refuse_outside(child, root)
                yield child
            elif child.is_dir():
                waiting.append(child)
            else:
                yield child


def _refuse_outside(link: Path, root: Path) -> None:
    name = link.relative_to(root).as_posix()
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        raise SymlinkOutside(path=name) from None
    if not target.is_relative_to(root):
        raise SymlinkOutside(path=name)


def _read(entry: Path, name: str) -> bytes:
    try:
        with entry.open("rb") as file:
            # One byte more than allowed tells "too large" without loading the rest of it.
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise FileUnreadable(path=name, problem=error.strerror or "unknown reason") from error
    if len(content) > MAX_FILE_BYTES:
        raise FileTooLarge(path=name, size_bytes=entry.stat().st_size)
    return content
