"""Whether one person may take a way back alone, as its rehearsal, its approvals and its price say; and by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from checks.rehearsal.proof import Outcome

ALONE_FOR = timedelta(hours=24)
"""How long the approvals of a run cover its way back: the data it was rehearsed with is of the day before then."""
AUTOMATIC = ("unhealthy", "smoke-failed", "integrity-failed")
"""After which failures, by their codes, a run may be rolled back by itself: everything was committed before them."""
REHEARSAL_HOURS = 24  # how old the proof of a way back may be: the data has changed since
LONGEST_REHEARSAL_HOURS = 24 * 30


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is known of a way back at a moment.

    `run` is what it undoes, as people call it, `given` the roles of those who approved that, with its rollback scripts.
    `outcome` is None where exactly these scripts were not rehearsed, `sentence` says more of it. `ended_at` is None for
    a run that is not over. `since` is the run that came after it on one of its databases, "" for none. `uncounted` says
    that the scripts drop something that was not counted lately, `beyond` what is lost that nobody accepted.
    """

    run: str
    given: tuple[str, ...]
    outcome: Outcome | None
    sentence: str
    ended_at: datetime | None
    since: str
    uncounted: bool
    beyond: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether one person may go back alone, and why, as a sentence; `until` is when that ends at the latest.

    `is_asked` says whether the policy asks anybody at all for a plan like this.
    """

    alone: bool
    why: str
    until: datetime | None = None
    is_asked: bool = False


def standing(seen: Circumstances, *, asked: Iterable[str], now: datetime) -> Standing:
    """Return whether the way back needs a second person. `asked` are the roles that the policy asks for its class."""
    wanted = Counter(asked)
    if not wanted:
        return Standing(alone=True, why="The policy asks nobody else.")
    until = seen.ended_at + ALONE_FOR if seen.ended_at else None
    if why := _why_not(seen, wanted, until=until, now=now):
        return Standing(alone=False, why=why, is_asked=True)
    return Standing(
        alone=True, why=f"It was approved with run {seen.run}, restores everything, and nothing is lost.", until=until,
        is_asked=True,
    )  # fmt: skip


def _why_not(seen: Circumstances, wanted: Counter[str], *, until: datetime | None, now: datetime) -> str:  # noqa: PLR0911 # one per reason
    if seen.outcome is None:
        return "It was not rehearsed with exactly these scripts."
    if seen.outcome is not Outcome.RESTORES:
        return f"What was rehearsed is {seen.sentence}."
    if missing := wanted - Counter(seen.given):
        roles = " and ".join({"dba": "a DBA", "architect": "an architect"}[role] for role in sorted(missing))
        return f"What was approved with run {seen.run} does not cover it: {roles} would be asked for it."
    if seen.since:
        return f"Run {seen.since} has run there since."
    if until is not None and now > until:
        return f"Run {seen.run} ended more than {ALONE_FOR.total_seconds() / 3600:.0f} hours ago."
    if seen.uncounted:
        return "What the scripts drop was not counted lately."
    return seen.beyond


def second_person(asked: Iterable[str]) -> tuple[str, ...]:
    """Return who is asked besides the one who presses, for a way back that is not taken alone: one, a DBA rather."""
    roles = sorted(asked, key=lambda role: role != "dba")
    return tuple(roles[:1])


def automatic_of(value: object) -> tuple[str, ...]:
    """Return after which failures a run is rolled back by itself. Raises ValueError."""
    if not isinstance(value, list | tuple) or not all(one in AUTOMATIC for one in value):
        raise ValueError(f'"automatic_rollback" must be a list of {", ".join(AUTOMATIC)}')
    return tuple(value)


def rehearsal_hours_of(value: object) -> int | None:
    """Return how old the proof of a way back may be, in hours; None where none is asked for. Raises ValueError."""
    if value is None or (type(value) is int and 1 <= value <= LONGEST_REHEARSAL_HOURS):
        return value
    raise ValueError('"rehearsal_hours" must be null or a whole number of hours, at most 30 days')
