"""The lock table of a script: who waits for which statement, for what."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.context import Seen
from checks.estimate import Estimate, is_untimed
from checks.finding import Report
from checks.locks import Lock, Mode
from checks.project.remembered import LockRow, Remembered

__all__ = ["LockRow", "lock_rows", "not_analysed", "quiet_rows", "work_in_words"]

# Who waits for a lock that stops neither reads nor writes (manual, table 13.2).
_BESIDE = {
    Mode.ROW_SHARE: "DDL that stops reads",
    Mode.ROW_EXCLUSIVE: "DDL and index builds",
    Mode.SHARE_UPDATE_EXCLUSIVE: "DDL, index builds and VACUUM",
}
_CHANGES_ROWS = frozenset({Verb.UPDATE, Verb.DELETE, Verb.MERGE, Verb.CHANGE_ALL_ROWS})


def lock_rows(report: Report | Remembered) -> Iterator[LockRow]:
    """Yield the locks that stop reads or writes of what was there before, in the order of the script."""
    if isinstance(report, Remembered):
        yield from report.rows
        return
    for seen, about in zip(report.seen, report.estimates, strict=True):
        said = {one.relation: one for one in about}
        yield from (_row(seen, lock, said[lock.relation], lock.blocked) for lock in seen.effects.felt)


def quiet_rows(report: Report | Remembered) -> Iterator[LockRow]:
    """Yield the locks on what was there before that stop neither reads nor writes, in the order of the script.

    `blocks` says what waits for them all the same. Left out is what every query takes, ACCESS SHARE, and a lock of
    which only the rows decide whether it is taken.
    """
    if isinstance(report, Remembered):
        yield from report.quiet
        return
    for seen, about in zip(report.seen, report.estimates, strict=True):
        said, felt = {one.relation: one for one in about}, {one.relation for one in seen.effects.felt}
        for lock in seen.effects.locks:
            if lock.mode in _BESIDE and lock.is_certain and not lock.is_new and lock.relation not in felt:
                yield _row(seen, lock, said[lock.relation], _who_waits(seen, lock))


def _row(seen: Seen, lock: Lock, about: Estimate, blocks: str) -> LockRow:
    lasts = about.slow_seconds is None or about.slow_seconds > 0 or is_untimed(seen)
    return LockRow(
        index=seen.statement.index,
        line=seen.statement.line,
        statement=seen.statement.kind,
        relation=str(lock.relation),
        mode=lock.words,
        blocks=blocks,
        work=work_in_words(lock),
        cost=about.words,
        because=lock.because,
        lasts=lasts,
    )


def _who_waits(seen: Seen, lock: Lock) -> str:
    changed = [one.table for one in seen.statement.changes if one.verb in _CHANGES_ROWS and one.table]
    if lock.mode is Mode.ROW_EXCLUSIVE and lock.relation in map(seen.before.place, changed):
        return f"writes to the same rows, {_BESIDE[lock.mode]}"
    return _BESIDE[lock.mode]


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
