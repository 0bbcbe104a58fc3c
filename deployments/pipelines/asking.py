"""Asking a target a list of checks, and saying what came of them: for the checks around a migration, and for smoke."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from checks.integrity.questions import Check
from checks.integrity.verdicts import Answer, Judged, Refusal, Verdict
from deployments.errors import DeploymentError
from deployments.pipelines.contract import StepContext
from deployments.postgres.connect import ANSWERED, DRIVER_ERROR, LINK_ERRORS, Session
from deployments.postgres.errors import TargetLocked, TargetUnreachable
from deployments.postgres.letting_go import letting_go
from deployments.postgres.verify import answer, reading

# How long a target may stay away: longer than a server takes to restart, or another to take its place.
PATIENCE = timedelta(minutes=5)
BROKEN_LINKS = 5  # how often it may come back and break away again: a question may be what breaks it
PAUSE_SECONDS = 0.5
TELL_SECONDS = 0.3  # progress is not written more often
NAMED = 5  # failures that are told in words; the others are in the evidence

Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A check to ask, which script it is from, and what its answer means there."""

    script: str
    check: Check
    judge: Callable[[Answer | Refusal], Judged]


def patiently(
    ctx: StepContext,
    look: Callable[[Session], Seen],
    *,
    opening: Callable[[], AbstractContextManager[Session]] | None = None,
) -> Seen:
    """Return what is seen in a session. While the target is away, wait for it; then look at everything again.

    `opening` opens the session; without it, it is one that only reads, as the owner. Raises TargetLocked when the
    server says that something took too long, TargetUnreachable or the driver's error when it stays away for PATIENCE or
    the link broke BROKEN_LINKS times, and what the control raises.
    """
    broken, away_since = 0, 0.0
    while True:
        ctx.control.require_may_start()
        try:
            with opening() if opening else reading(ctx.target, ctx.holder) as opened:
                if away_since:
                    ctx.progress({})  # it is here again
                away_since = 0.0
                with looking(ctx, opened):
                    seen = look(opened)
                ctx.control.require_may_start()  # what was cut off on request is no answer
                return seen
        except ANSWERED as locked:
            raise TargetLocked(target=ctx.target.name) from locked
        except (TargetUnreachable, *LINK_ERRORS) as cut:
            if not away_since:
                away_since, broken = time.monotonic(), broken + 1
                ctx.log(
                    f"The link to {ctx.target.name} broke ({type(cut).__name__}). Looking again, for at most "
                    f"{PATIENCE.total_seconds():.0f} s while it is away."
                )
            waited = time.monotonic() - away_since
            if broken > BROKEN_LINKS or waited > PATIENCE.total_seconds():
                raise
            ctx.progress({"away_seconds": round(waited)})
            ctx.control.wait(PAUSE_SECONDS)


@contextmanager
def looking(ctx: StepContext, opened: Session) -> Iterator[None]:
    """Look in this session, and stop within seconds when nothing new may be started, even if the server hangs.

    Raises what the control raises then.
    """
    try:
        with letting_go(opened, ctx.control):
            yield
    except (DeploymentError, DRIVER_ERROR):
        ctx.control.require_may_start()
        raise


def ask_all(ctx: StepContext, opened: Session, wanted: Sequence[Wanted], *, limit: timedelta) -> list[dict[str, Any]]:
    """Return the evidence of every check, in order. Each may take `limit`; what did not pass is also logged."""
    entries = []
    told = 0.0
    for place, one in enumerate(wanted, start=1):
        ctx.control.require_may_start()
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            ctx.progress({"migration": one.script, "check": place, "of": len(wanted), "title": one.check.title})
        started = time.monotonic()
        answered = answer(opened, one.check, limit=limit)
        entry = _evidence(one, answered, milliseconds=round((time.monotonic() - started) * 1000))
        if entry["verdict"] in {Verdict.FAILED, Verdict.NOT_MEASURED}:
            ctx.log(f"{name_of(entry)}: {entry['verdict']}. {entry['detail']}")
        entries.append(entry)
    return entries


def _evidence(one: Wanted, answered: Answer | Refusal, *, milliseconds: int) -> dict[str, Any]:
    judged = one.judge(answered)
    entry = {
        "migration": one.script,
        "number": one.check.number,
        "line": one.check.line,
        "title": one.check.title,
        "expectation": one.check.expectation,
        "verdict": str(judged.verdict),
        "detail": judged.detail,
        "milliseconds": milliseconds,
    }
    if isinstance(answered, Answer):
        entry |= {"rows": answered.rows, "fingerprint": answered.fingerprint}
    return entry


def name_of(entry: dict[str, Any]) -> str:
    """Return how a check is called in a sentence."""
    return f"{entry['migration']}, check {entry['number']} ({entry['title']})"


def checks_in_words(entries: Iterable[dict[str, Any]], *, none: str = "", noted: str = "noted") -> str:
    """Return how many checks came to which verdict, as "7 checks passed, 1 not measured."; `none` if there are none."""
    given = [entry["verdict"] for entry in entries]
    words = {Verdict.PASSED: "passed", Verdict.NOTED: noted, Verdict.NOT_MEASURED: "not measured"}
    counted = [(given.count(verdict), word) for verdict, word in words.items() if verdict in given]
    if not counted:
        return none
    (first, word), *others = counted
    start = f"{first} {'check' if first == 1 else 'checks'} {word}"
    return ", ".join([start, *(f"{count} {word}" for count, word in others)]) + "."


def failures_in_words(target: str, failed: Sequence[str]) -> str:
    """Return what failed, as sentences: the first few of many."""
    count = f"{len(failed)} check{'' if len(failed) == 1 else 's'} failed on {target}:"
    more = [f"And {len(failed) - NAMED} more."] if len(failed) > NAMED else []
    return " ".join([count, *failed[:NAMED], *more])
