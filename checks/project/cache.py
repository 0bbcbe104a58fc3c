"""What was judged before, in a file of the user's own: the same script in the same world is not judged twice.

A file is believed only if it is whole, of this very version of the checks, and nobody else could have written it.
Anything else is as if there were none; a cache that cannot be written is no error.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from checks.finding import Report
from checks.lock_rows import lock_rows, not_analysed, quiet_rows
from checks.model import Schema
from checks.model.coding import Misshapen, decoder, encode
from checks.project import kept
from checks.project.kept import digest as digest  # noqa: PLC0414 - what keys are made of
from checks.project.remembered import Remembered, Told
from checks.reviewing.review import Review
from checks.risk import Risk

_KEPT_SCHEMAS = 2  # after the last migration, for one that is added; before it, for when that one is edited

_told = decoder(Told)
_review = decoder(Review)
_schema = decoder(Schema)
_Entry = tuple[int, int, Any]  # where its text begins and ends, and what is known of it without reading it
_T = TypeVar("_T")


class Memory:
    """The answers of one folder of migrations to one kind of question, or to none that is kept.

    Keys are digests of all that an answer depends on. Only what was asked for in this call is kept for the next one.
    The file is an index and the texts of the answers one after the other: those that nobody reads are not parsed. What
    is read late may raise Misshapen, where the file is not of our making.
    """

    def __init__(self, file: str | None = None) -> None:
        """Read what is kept in a file; without one everything is forgotten."""
        self._file = file
        self._index, self._texts = _read(file) if file else ({}, memoryview(b""))
        self._kept: dict[str, tuple[bytes | memoryview, Any]] = {}
        self._schemas: dict[str, Schema] = {}
        self._has_news = False

    @classmethod
    def of(cls, folder: Path, *how: object) -> Memory:
        """Return what is remembered of a folder of migrations that is asked about in this way."""
        return cls(kept.place("json", str(folder.absolute()), how))

    def report(self, key: str) -> Remembered | None:
        """Return what was said of a script, or None."""
        found = self._again(key)
        match found:
            case (text, [str(risk), bool(is_analysed), bool(is_blocking)]) if risk in list(Risk):
                read = partial(_decoded, _told, text)
                return Remembered(Risk(risk), read, is_analysed=is_analysed, is_blocking=is_blocking)
        return None

    def review(self, key: str) -> Review | None:
        """Return the review of a migration, or None. It is read when somebody asks for any of it."""
        found = self._again(key)
        return None if found is None else cast("Review", Later(partial(_decoded, _review, found[0])))

    def schema(self, key: str) -> Schema | None:
        """Return a schema as it was left behind, or None."""
        found = self._again(key)
        with suppress(Misshapen):
            return None if found is None else cast("Schema", _decoded(_schema, found[0]))
        return None

    def answer(self, key: str) -> bool | None:
        """Return yes or no, or None."""
        found = self._again(key)
        return found[1] if found and isinstance(found[1], bool) else None

    def text(self, key: str) -> str | None:
        """Return a text, or None."""
        found = self._again(key)
        return None if found is None else str(found[0], "utf-8")

    def keep_report(self, key: str, report: Report) -> None:
        """Remember what a report says."""
        if self._file is None:
            return  # nobody will ask, and writing it takes a tenth of judging it
        told = Told(
            findings=report.findings,
            classified=report.classified,
            statement_count=len(report.statements),
            rows=tuple(lock_rows(report)),
            quiet=tuple(quiet_rows(report)),
            unknown=tuple(not_analysed(report)),
        )
        self._keep(key, _encoded(told), [report.risk, report.is_analysed, report.is_blocking])

    def keep_review(self, key: str, review: Review) -> None:
        """Remember the review of a migration."""
        if self._file is None:
            return
        self._keep(key, _encoded(review))

    def keep_answer(self, key: str, answer: bool) -> None:  # noqa: FBT001 - it is the value
        """Remember yes or no."""
        self._keep(key, b"", answer)

    def keep_text(self, key: str, text: str) -> None:
        """Remember a text."""
        if self._file is not None:
            self._keep(key, text.encode())

    def keep_schema(self, key: str, schema: Schema) -> None:
        """Remember a schema, if it is among the last ones."""
        self._schemas[key] = schema
        while len(self._schemas) > _KEPT_SCHEMAS:
            del self._schemas[next(iter(self._schemas))]

    def save(self) -> None:
        """Write what was asked for and what is new, unless nothing is."""
        if self._file is None or not self._has_news:
            return
        # A schema that was read and not made anew is among those that were asked for.
        whole = self._kept | {key: (_encoded(one), None) for key, one in self._schemas.items()}
        index: dict[str, _Entry] = {}
        end = 0
        for key, (text, known) in whole.items():
            index[key] = (end, end + len(text), known)
            end += len(text)
        head = json.dumps(index, separators=(",", ":")).encode() + b"\n"
        with suppress(OSError):
            kept.write(self._file, head, b"".join(text for text, _ in whole.values()))

    def _again(self, key: str) -> tuple[bytes | memoryview, Any] | None:
        if key in self._kept:
            return self._kept[key]
        match self._index.get(key):
            case [int(start), int(end), known] if 0 <= start <= end <= len(self._texts):
                self._kept[key] = found = self._texts[start:end], known
                return found
        return None

    def _keep(self, key: str, text: bytes, known: Any = None) -> None:
        self._kept[key] = text, known
        self._has_news = True


class Later:
    """A value that is read when anything of it is asked for."""

    __slots__ = ("_read", "_value")

    def __init__(self, read: Callable[[], object]) -> None:
        """Keep what reads it."""
        self._read = read
        self._value: object = None

    def __getattr__(self, name: str) -> Any:
        if self._value is None:
            self._value = self._read()
        return getattr(self._value, name)


def _encoded(value: object) -> bytes:
    return json.dumps(encode(value), separators=(",", ":")).encode()


def _decoded(decode: Callable[[Any], _T], text: bytes | memoryview) -> _T:
    """Return the value of a text. Raises Misshapen."""
    try:
        data = json.loads(bytes(text))
    except (ValueError, RecursionError):
        raise Misshapen("is no JSON") from None
    return decode(data)


def _read(file: str) -> tuple[dict[str, Any], memoryview]:
    """Return what a file of ours holds; nothing if it is not to be believed."""
    content = kept.read(file)
    if content is None:
        return {}, memoryview(b"")
    whole = cast("bytes", content.obj)
    begin = len(whole) - len(content)  # behind the seal
    end = whole.find(b"\n", begin) + 1
    try:
        index = json.loads(whole[begin:end])
    except (ValueError, RecursionError):
        index = None
    return (index, content[end - begin :]) if isinstance(index, dict) else ({}, memoryview(b""))
