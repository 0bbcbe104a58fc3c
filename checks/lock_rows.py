"""The lock table of a script: who waits for which statement, for what."""

from __future__ import annotations

from collections.abc import Iterator

from checks.finding import Report
from checks.locks import Lock
from checks.project.remembered import LockRow, Remembered

__all__ = ["LockRow", "lock_rows", "not_analysed", "work_in_words"]


def lock_rows(report: Report | Remembered) -> Iterator[LockRow]:
    """Yield the locks that stop reads or writes of what was there before, in the order of the script."""
    if isinstance(report, Remembered):
        yield from report.rows
        return
    for seen, about in zip(report.seen, report.estimates, strict=True):
        said = {one.relation: one.words for one in about}
        for lock in seen.effects.felt:
            yield LockRow(
                index=seen.statement.index,
                line=seen.statement.line,
                statement=seen.statement.kind,
                relation=str(lock.relation),
                mode=lock.mode.words,
                blocks=lock.mode.blocked,
                work=work_in_words(lock),
                cost=said[lock.relation],
                because=lock.because,
            )


def work_in_words(lock: Lock) -> str:
    """Return what is done to the relation under a lock: "rewrite, index build", "perhaps full scan", or "none"."""
    words = [*sorted(lock.work), *(f"perhaps {work}" for work in sorted(lock.maybe - lock.work))]
    return ", ".join(words) or "none"


def not_analysed(report: Report | Remembered) -> Iterator[tuple[int, str]]:
    """Yield the line and the words of everything that could not be analysed."""
    if isinstance(report, Remembered):
        yield from report.unknown
        return
    for seen in report.seen:
        yield from ((seen.statement.line, words) for words in seen.effects.unknown)
