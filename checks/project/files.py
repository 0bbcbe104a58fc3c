"""Reads a folder of migration files into memory, and nothing outside that folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from checks.errors import CheckError
from checks.project import looking
from checks.project.looking import MAX_JUDGED_FILE_BYTES as MAX_JUDGED_FILE_BYTES  # noqa: PLC0414 - a limit like these

MAX_FILE_BYTES = 5_000_000
MAX_FOLDER_BYTES = 500_000_000
MAX_FILES = 20_000


class PathMissing(CheckError):
    """There is neither a file nor a folder of that name."""

    code: ClassVar[str] = "path-missing"

    def __init__(self, *, path: str) -> None:
        super().__init__(
            f"There is no file or folder {path}. No migration was read, so nothing is known about what would reach the "
            "database. Correct the path."
        )


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

    def __init__(self, *, path: str, largest: int) -> None:
        super().__init__(
            f"{path} has more than {largest} bytes. No migration was read. "
            "Move the data out of the migration, or split the file."
        )


class FolderTooLarge(CheckError):
    """The files of a folder are too much to be held in memory."""

    code: ClassVar[str] = "folder-too-large"

    def __init__(self, *, folder: Path) -> None:
        super().__init__(
            f"The files below {folder} have more than {MAX_FOLDER_BYTES} bytes together. No migration was read. "
            "Point to the folder of the migrations, or move data out of it."
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


def read_folder(path: Path, *, entries: tuple[str, ...] = (), largest: int | None = None) -> dict[str, bytes]:
    """Return the regular files below a folder by their path in it (with `/`), sorted by path.

    `entries` are the only names in the folder that are looked at, () for all; `largest` is that of one file in bytes,
    MAX_FILE_BYTES by default. Raises a CheckError: FolderMissing, FolderEmpty, SymlinkOutside, FileTooLarge,
    FolderTooLarge (more than MAX_FOLDER_BYTES), TooManyFiles, or FileUnreadable. Links to folders are not followed;
    devices, pipes and sockets are passed over, and so are the folders of version control.
    """
    if not is_folder(path):
        raise FolderMissing(folder=path)
    root = looking.real(str(path))
    limit = MAX_FILE_BYTES if largest is None else largest
    files: dict[str, bytes] = {}
    size_bytes = 0
    for number, (name, place) in enumerate(_files(Path(root), entries), start=1):
        if number > MAX_FILES:
            raise TooManyFiles(folder=path)
        if place:
            files[name] = _read(place, name, limit)
            size_bytes += len(files[name])
            if size_bytes > MAX_FOLDER_BYTES:
                raise FolderTooLarge(folder=path)
    if not files:
        raise FolderEmpty(folder=path)
    looking.have_read(root, entries, files)
    return dict(sorted(files.items()))


def folder_below(path: Path, names: Iterable[str]) -> Path:
    """Return the first of these folders below a path that is there, or the path itself.

    Raises SymlinkOutside if it is a link that leads out.
    """
    for name in names:
        if is_folder(path / name):
            if not Path(looking.real(str(path / name))).is_relative_to(looking.real(str(path))):
                raise SymlinkOutside(path=name)
            return path / name
    return path


def is_folder(path: Path | str) -> bool:
    """True for a folder that can be seen; where a parent is closed, Path.is_dir would raise."""
    return looking.is_folder(str(path))


def read_file(path: str, *, largest: int | None = None) -> bytes:
    """Return what a file, pipe or device gives until its end, at most `largest` bytes, MAX_FILE_BYTES by default.

    Raises PathMissing, FileUnreadable or FileTooLarge.
    """
    limit = MAX_FILE_BYTES if largest is None else largest
    try:
        with Path(path).open("rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError:
        raise PathMissing(path=path) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise FileUnreadable(path=path, problem=getattr(error, "strerror", None) or str(error)) from error
    return within_limit(path, content, largest=limit)


def within_limit(path: str, content: bytes, *, largest: int | None = None) -> bytes:
    """Return the content, of which at most one byte more than allowed was read. Raises FileTooLarge."""
    limit = MAX_FILE_BYTES if largest is None else largest
    if len(content) > limit:
        raise FileTooLarge(path=path, largest=limit)
    return content


def _files(root: Path, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield everything below a folder that is no folder itself, refusing links that lead out.

    Each with its path in the folder and, for a regular file, that by which it can be opened, else "".
    """
    try:
        for name, entry in looking.entries(str(root), names):
            if entry.is_symlink():
                _refuse_outside(root / name, root)
            yield name, entry.path if entry.is_file() else ""
    except OSError as error:
        raise FileUnreadable(path=str(error.filename), problem=error.strerror or "unknown reason") from error


def _refuse_outside(link: Path, root: Path) -> None:
    name = link.relative_to(root).as_posix()
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        raise SymlinkOutside(path=name) from None
    if not target.is_relative_to(root):
        raise SymlinkOutside(path=name)


def _read(place: str, name: str, largest: int) -> bytes:
    try:
        # One byte more than allowed tells "too large" without loading the rest of it.
        return within_limit(name, looking.content(place, largest=largest), largest=largest)
    except OSError as error:
        raise FileUnreadable(path=name, problem=error.strerror or "unknown reason") from error
