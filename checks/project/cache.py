"""What was judged before, in a file of the user's own: the same script in the same world is not judged twice.

A file is believed only if it is whole, of this very version of the checks, and nobody else could have written it.
Anything else is as if there were none; a cache that cannot be written is no error.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from checks.finding import Report
from checks.lock_rows import lock_rows, not_analysed
from checks.model import Schema
from checks.model.coding import Misshapen, decoder, encode
from checks.project.remembered import Remembered

MAX_BYTES = 64 * 2**20
MAX_FILES = 32
_KEPT_SCHEMAS = 2  # after the last migration, for one that is added; before it, for when that one is edited
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


_remembered = decoder(Remembered)
_schema = decoder(Schema)


@dataclass(slots=True)
class Memory:
    """The answers of one folder of migrations. `file` is where they are kept, or None: then they are forgotten.

    Keys are digests of all that an answer depends on. Only what was asked for in this call is kept for the next one.
    """

    file: Path | None = None
    _known: dict[str, Any] = field(default_factory=dict)
    _kept: dict[str, Any] = field(default_factory=dict)
    _schemas: dict[str, Schema] = field(default_factory=dict)
    _has_news: bool = False

    @classmethod
    def of(cls, folder: Path) -> Memory:
        """Return what is remembered of a folder of migrations, in the user's folder for caches."""
        place = _place()
        if place is None:
            return cls()
        file = place / f"{digest('folder', str(folder.absolute()))}.json"
        return cls(file, _read(file))

    def report(self, key: str) -> Remembered | None:
        """Return what was said of a script, or None."""
        found = self._again(key)
        with suppress(Misshapen):
            return None if found is None else _remembered(found)
        return None

    def schema(self, key: str) -> Schema | None:
        """Return a schema as it was left behind, or None."""
        found = self._again(key)
        with suppress(Misshapen):
            return None if found is None else _schema(found)
        return None

    def answer(self, key: str) -> bool | None:
        """Return yes or no, or None."""
        found = self._again(key)
        return found if isinstance(found, bool) else None

    def keep_report(self, key: str, report: Report) -> None:
        """Remember what a report says."""
        told = Remembered(
            findings=report.findings,
            classified=report.classified,
            is_analysed=report.is_analysed,
            statement_count=len(report.statements),
            rows=tuple(lock_rows(report)),
            unknown=tuple(not_analysed(report)),
        )
        self._keep(key, encode(told))

    def keep_answer(self, key: str, answer: bool) -> None:  # noqa: FBT001 - it is the value
        """Remember yes or no."""
        self._keep(key, answer)

    def keep_schema(self, key: str, schema: Schema) -> None:
        """Remember a schema, if it is among the last ones."""
        self._schemas[key] = schema
        while len(self._schemas) > _KEPT_SCHEMAS:
            del self._schemas[next(iter(self._schemas))]

    def save(self) -> None:
        """Write what was asked for and what is new, unless nothing is."""
        if self.file is None or not self._has_news:
            return
        kept = self._kept | {key: encode(schema) for key, schema in self._schemas.items()}
        with suppress(OSError):
            _write(self.file, kept)

    def _again(self, key: str) -> Any:
        if (found := self._known.get(key)) is not None:
            self._kept[key] = found
        return found

    def _keep(self, key: str, value: Any) -> None:
        self._kept[key] = value
        self._has_news = True


def digest(*parts: object) -> str:
    """Return one name for all of these values; no two lists of them have the same."""
    found = hashlib.sha256()
    for part in parts:
        content = part if isinstance(part, bytes) else repr(part).encode("utf-8", "surrogatepass")
        found.update(f"{type(part).__name__} {len(content)}:".encode() + content)
    return found.hexdigest()


def _place() -> Path | None:
    """Return the folder of the caches, or None where there is none for this user."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    with suppress(RuntimeError):  # a user without a home
        return (Path(given) if os.path.isabs(given) else Path.home() / ".cache") / "locktender"  # noqa: PTH117
    return None


def _version() -> str:
    """Return a name for the checks as they are installed: their files, the parser and Python."""
    root = Path(__file__).parent
    files = sorted((str(one), (found := one.stat()).st_size, found.st_mtime_ns) for one in root.rglob("*.py"))
    return digest(files, version("pglast"), sys.version)


def _read(file: Path) -> dict[str, Any]:
    """Return what a file of ours holds; nothing if it is not to be believed."""
    try:
        if _may_be_others(file.parent.stat()):
            return {}
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as opened:
            found = os.fstat(opened.fileno())
            if _may_be_others(found) or not stat.S_ISREG(found.st_mode) or found.st_size > MAX_BYTES:
                return {}
            seal, _, content = opened.read(MAX_BYTES + 1).partition(b"\n")
    except OSError:
        return {}
    if seal.decode("ascii", "replace") != digest(_version(), content):
        return {}
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _may_be_others(found: os.stat_result) -> bool:
    """True for a file or folder that somebody else owns, or may write to."""
    return found.st_uid != os.geteuid() or bool(found.st_mode & _OTHERS_WRITE)


def _write(file: Path, kept: dict[str, Any]) -> None:
    """Put a whole file in the place of the old one, and remove the oldest of the others when there are too many."""
    content = json.dumps(kept, separators=(",", ":")).encode()
    if len(content) > MAX_BYTES:
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, made = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(number, "wb") as opened:
            opened.write(digest(_version(), content).encode() + b"\n" + content)
        Path(made).replace(file)
    except OSError:
        Path(made).unlink()
        raise
    others = sorted(file.parent.glob("*.json"), key=lambda one: one.stat().st_mtime, reverse=True)
    for one in others[MAX_FILES:]:
        one.unlink()
