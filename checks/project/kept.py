"""Files of the user's own folder for caches: written whole, and believed only if nobody else could have written them.

With the system's own calls alone, so that an answer from memory need not wait for imports.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from zlib import crc32

MAX_BYTES = 64 * 2**20
MAX_FILES = 32
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
# What is installed beside the checks and has a say in what they find or how it is written.
_BESIDE = ("pglast-", "rich-", "locktender-")


def place(kind: str, *parts: object) -> str | None:
    """Return the path of the file that is named by these values, or None where this user has no such folder."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    home = os.path.expanduser("~")  # noqa: PTH111 - Path would be imported for it
    folder = given if os.path.isabs(given) else os.path.join(home, ".cache")  # noqa: PTH117, PTH118
    if not os.path.isabs(folder):  # noqa: PTH117 - a user without a home
        return None
    return f"{folder}/locktender/{digest(kind, *parts)}.{kind}"


def digest(*parts: object) -> str:
    """Return one name for all of these values; no two lists of them have the same."""
    found = []
    for part in parts:
        content = part if isinstance(part, bytes) else repr(part).encode("utf-8", "surrogatepass")
        found += [f"{type(part).__name__} {len(content)}:".encode(), content]
    return hashlib.sha256(b"".join(found)).hexdigest()


def installed() -> str:
    """Return a name for the checks as they are installed: their files, what they are built on, and Python."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    found: list[tuple[object, ...]] = []
    waiting = [root]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for one in entries:
                if one.name.endswith(".py"):
                    about = one.stat()
                    found.append((one.path, about.st_size, about.st_mtime_ns))
                elif one.name != "__pycache__" and one.is_dir():
                    waiting.append(one.path)
    return digest(sorted(found), _beside(), sys.version)


def read(path: str) -> memoryview | None:
    """Return what `write` wrote with this very version of the checks; None for anything else."""
    try:
        if _may_be_others(os.stat(os.path.dirname(path))):  # noqa: PTH116, PTH120
            return None
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(number, "rb", buffering=0) as opened:
            about = os.fstat(number)
            if _may_be_others(about) or not stat.S_ISREG(about.st_mode) or about.st_size > MAX_BYTES:
                return None
            whole = opened.read()
    except OSError:
        return None
    length = whole.find(b"\n") + 1
    content = memoryview(whole)[length:]
    return content if whole[:length] == _seal(content) else None


def write(path: str, *parts: bytes) -> None:
    """Put a whole file in the place of the old one, and remove the oldest of its kind when there are too many.

    What is too large is not kept. Raises OSError.
    """
    if sum(map(len, parts)) > MAX_BYTES:
        return
    import tempfile  # noqa: PLC0415 - reading needs none

    folder, kind = os.path.dirname(path), path.rpartition(".")[2]  # noqa: PTH120
    os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
    number, made = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(number, "wb") as opened:
            opened.writelines((_seal(*parts), *parts))
        os.replace(made, path)  # noqa: PTH105
    except OSError:
        os.unlink(made)  # noqa: PTH108
        raise
    with os.scandir(folder) as entries:
        others = sorted((-one.stat().st_mtime, one.path) for one in entries if one.name.endswith(f".{kind}"))
    for _, one in others[MAX_FILES:]:
        os.unlink(one)  # noqa: PTH108


def _seal(*parts: bytes | memoryview) -> bytes:
    """Return the first line of a file: who wrote it, how long it is, and a sum that damage does not leave as it was.

    That nobody forged it is known by its owner: a digest would take ten times as long and prove no more.
    """
    total = 0
    for one in parts:
        total = crc32(one, total)
    return f"{installed()} {sum(map(len, parts))} {total:08x}\n".encode()


def _beside() -> list[str]:
    found = []
    for folder in sys.path:
        try:
            found += [f"{folder}/{one}" for one in os.listdir(folder) if one.startswith(_BESIDE)]  # noqa: PTH208
        except OSError:  # an archive, or nothing
            continue
    return sorted(found)


def _may_be_others(found: os.stat_result) -> bool:
    """True for a file or folder that somebody else owns, or may write to."""
    return found.st_uid != os.geteuid() or bool(found.st_mode & _OTHERS_WRITE)
