"""What stands on the disk, read with the system's own calls: also where nothing may be imported, and noted on request.

Every look of this package at a folder of migrations goes through here, so that a list of them says all that an answer
depends on.
"""

from __future__ import annotations

import os
from contextvars import ContextVar

# Imported for the sake of types only: `typing` itself would take two milliseconds of an answer from memory.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Where files are only judged, and their data can be cut out. One of 50 MB takes 900 MB and 8 s, parsed (measured).
MAX_JUDGED_FILE_BYTES = 60_000_000

_noted: ContextVar[list[tuple[str, ...]] | None] = ContextVar("noted", default=None)
# Of version control itself: as large as the whole history, and never a migration.
_PASSED_OVER = frozenset({".git", ".hg", ".svn"})
_USUAL = 1 << 16  # bytes; few migrations are longer
_YES, _NO = "yes", "no"


class Changed(Exception):
    """Something is not as it was when it was noted, or cannot be told without more than a look."""


def note() -> list[tuple[str, ...]]:
    """Begin a list of every look from now on, in this thread, and return it."""
    looks: list[tuple[str, ...]] = []
    _noted.set(looks)
    return looks


def again(look: tuple[str, ...]) -> None:
    """Look once more. Raises Changed, and OSError; links and large files are Changed, as they need more than a look."""
    kind, path, *said = look
    match kind:
        case "folder":
            found = [_YES if os.path.isdir(path) else _NO]  # noqa: PTH112 - Path would be imported for it
        case "there":
            found = [_YES if os.path.exists(path) else _NO]  # noqa: PTH110
        case "real":
            found = [os.path.realpath(path)]
        case _:
            found = [fingerprint(_regular_files(path, tuple(said[1:]))), *said[1:]]
    if found != said:
        raise Changed(path)


def is_folder(path: str) -> bool:
    """True for a folder that can be seen."""
    return _told("folder", path, is_so=os.path.isdir(path))  # noqa: PTH112


def is_there(path: str) -> bool:
    """True for what can be seen, of whatever kind."""
    return _told("there", path, is_so=os.path.exists(path))  # noqa: PTH110


def real(path: str) -> str:
    """Return a path without links."""
    found = os.path.realpath(path)
    _note("real", path, found)
    return found


def have_read(root: str, names: tuple[str, ...], files: Mapping[str, bytes]) -> None:
    """Note that all files below a folder were read, as `entries` gave them."""
    if _noted.get() is not None:
        _note("files", root, fingerprint(files), *names)


def entries(root: str, names: tuple[str, ...] = ()) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield everything below a folder that is no folder itself, with its path in it, and links, wherever they lead.

    `names` are the only ones in the folder that are looked at, () for all. Raises OSError.
    """
    waiting = [("", root)]
    while waiting:
        within, folder = waiting.pop()
        with os.scandir(folder) as found:
            children = sorted(found, key=_name)
        for child in children:
            if child.name in _PASSED_OVER or (names and not within and child.name not in names):
                continue
            if child.is_dir(follow_symlinks=False):
                waiting.append((f"{within}{child.name}/", child.path))
            else:
                yield within + child.name, child


def content(path: str, *, largest: int) -> bytes:
    """Return what a file holds; of one that is too large, one byte more than allowed. Raises OSError."""
    number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = os.read(number, min(_USUAL, largest + 1))
        if len(found) < _USUAL:  # of a regular file less than was asked for is all that there is
            return found
        with os.fdopen(os.dup(number), "rb") as rest:
            return found + rest.read(largest + 1 - len(found))
    finally:
        os.close(number)


def fingerprint(files: Mapping[str, bytes]) -> str:
    """Return a digest of names and contents, in the order of the names; a byte more anywhere is another one."""
    import hashlib  # noqa: PLC0415 - only where there is something to be remembered

    told = hashlib.sha256()
    for name in sorted(files):
        one = files[name]
        told.update(b"%d %d " % (len(name), len(one)) + os.fsencode(name))
        told.update(one)
    return told.hexdigest()


def _regular_files(root: str, names: tuple[str, ...]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for name, entry in entries(root, names):
        if entry.is_symlink():
            raise Changed(name)
        if entry.is_file(follow_symlinks=False):
            files[name] = content(entry.path, largest=MAX_JUDGED_FILE_BYTES)
            if len(files[name]) > MAX_JUDGED_FILE_BYTES:
                raise Changed(name)
    return files


def _told(kind: str, path: str, *, is_so: bool) -> bool:
    _note(kind, path, _YES if is_so else _NO)
    return is_so


def _note(*look: str) -> None:
    looks = _noted.get()
    if looks is not None:
        looks.append(look)


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name
