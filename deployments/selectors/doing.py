"""What a running step does right now, in the words of a page: as the server told it last, or that it told nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from checks.words import span_words
from deployments.models import Step
from deployments.selectors.rail import Stage
from deployments.selectors.restoring import Restoring, restoring_of
from deployments.selectors.verdict_parts import Fact, Verdict
from deployments.states import StepState

WAITS = {
    "lock": "Waits for a lock",
    "read": "Waits for the disk: reads",
    "write": "Waits for the disk: writes",
    "cpu": "Computes",
    "client": "Waits for its client",
    "server": "Waits for another part of the server",
    "pause": "Pauses on purpose",
    "statement": "Between two statements",
    "not-told": "Not told by the server",
}
"""What a session waits for, by the word that the guard told."""
LEAST_SLOW = timedelta(seconds=10)  # what is over sooner is not called slow
FULL = 100


@dataclass(frozen=True, slots=True)
class Working:
    """One session. `percent` is of its phase, never of the statement; None is not told, as are `done` and `total`."""

    pid: int
    command: str
    relation: str
    phase: str  # "" where the statement has no view of its progress
    done: int | None
    total: int | None
    unit: str  # bytes, rows, …
    is_estimate: bool
    size: int | None  # bytes of a COPY
    percent: float | None
    wait: str  # in words
    event: str  # the server's name for it
    seconds: float | None

    @property
    def say(self) -> str:
        """What it does, in a few words."""
        return self.phase[:1].upper() + self.phase[1:]


@dataclass(frozen=True, slots=True)
class Measured:
    """What the same statement took in another database."""

    where: str
    took: timedelta
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Doing:
    """What a step does. `sessions` is empty where nobody has looked yet, or nothing works."""

    sessions: tuple[Working, ...]
    places: tuple[Working | None, ...]  # of a dump: as many as it has workers, so that nothing moves; None is free
    since: datetime | None  # when the statement began, by the executor's clock
    earlier: tuple[Measured, ...]  # the newest first
    quick: float | None  # seconds as estimated, at measured rates and on a slower server
    slow: float | None
    restoring: Restoring | None = None  # how far a restore is

    @property
    def first(self) -> Working | None:
        """The session of a migration."""
        return self.sessions[0] if self.sessions else None

    @property
    def estimate(self) -> str:
        """The estimate of judgement as a range in words; "" where there is none."""
        if self.quick is None or self.slow is None:
            return ""
        return span_words(self.quick, self.slow) if self.slow else "a moment"

    @property
    def longest(self) -> timedelta | None:
        """How long it should take at most, by what was measured and estimated; None where neither is known."""
        known = [one.took for one in self.earlier]
        if self.slow is not None:
            known.append(timedelta(seconds=self.slow))
        return max(known, default=None)

    @property
    def longest_earlier(self) -> timedelta | None:
        """The longest that was measured elsewhere."""
        return max((one.took for one in self.earlier), default=None)

    def ran_for(self, now: datetime) -> timedelta | None:
        """How long the statement has been running; None if it does not say."""
        return None if self.since is None else max(timedelta(), now - self.since)

    def is_slow(self, now: datetime) -> bool:
        """Whether it takes longer than was ever measured or estimated. Without either nobody can say so."""
        ran, longest = self.ran_for(now), self.longest
        return ran is not None and longest is not None and ran > max(longest, LEAST_SLOW)


def doing_of(step: Step, judgement: Mapping[str, Any]) -> Doing | None:
    """Return what a running step does as its guard told last, None of one that is over or has no guard."""
    told = step.progress
    if step.state != StepState.RUNNING or not {"sql", "tables", "restoring"} & told.keys():
        return None
    sessions = tuple(_working(one) for one in told.get("doing", ()))
    quick, slow = _estimated(told, judgement)
    return Doing(
        sessions=sessions,
        places=tuple(_places(sessions, told.get("jobs", 0))),
        since=datetime.fromisoformat(told["since"]) if told.get("since") else None,
        earlier=tuple(_measured(one) for one in told.get("earlier", ())),
        quick=quick,
        slow=slow,
        restoring=restoring_of(step),
    )


def _working(told: Mapping[str, Any]) -> Working:
    share = told["share"]
    same = ("pid", "command", "relation", "phase", "done", "total", "unit", "is_estimate", "size", "event", "seconds")
    return Working(
        **{name: told[name] for name in same},
        percent=None if share is None else round(share * FULL, 1),
        wait=WAITS.get(told["wait"], WAITS["not-told"]),
    )


def _places(sessions: Sequence[Working], count: int) -> Iterator[Working | None]:
    """Yield who copies a table, and then nobody for each worker that is between two."""
    copying = [one for one in sessions if one.phase][:count]
    yield from copying
    yield from [None] * (count - len(copying))


def _measured(told: Mapping[str, Any]) -> Measured:
    at = datetime.fromisoformat(told["at"]) if told["at"] else None
    return Measured(told["where"], timedelta(seconds=told["seconds"]), at)


def _estimated(told: Mapping[str, Any], judgement: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return the estimate of the statement under way: the one of its line, if there is just one."""
    every = judgement.get("migrations", {}).get(told.get("migration"), {}).get("takes", ())
    found = [one for one in every if one["line"] == told.get("line")]
    if len(found) != 1 or "batch" in told:
        return None, None
    return found[0]["seconds"], found[0]["slow_seconds"]


def slow(stage: Stage, doing: Doing | None, now: datetime, facts: Sequence[Fact], plain: str) -> Verdict | None:
    """Return the verdict of a statement that takes longer than it should, and whose executor lives; None if not so."""
    if stage.step is None or doing is None or not doing.is_slow(now):
        return None
    ran, longest = doing.ran_for(now), doing.longest
    assert ran is not None and longest is not None  # noqa: S101, PT018 # slow is only what is measured
    number = stage.step.progress.get("statement", 1)
    work = f" {doing.first.wait}." if doing.first else ""
    say = f"Statement {number} takes longer than expected. Its executor is alive.{work}"
    known = f"It runs for {_seconds(ran)}, and was expected to take at most {_seconds(longest)}."
    return Verdict("slow", say, f"{known} {plain}", tuple(facts))


def waits_for_others(stage: Stage, facts: Sequence[Fact]) -> Verdict | None:
    """Return the verdict of a run that lets others end before it begins, None if it does not."""
    told = stage.step.progress if stage.step else {}
    if not told.get("collisions"):
        return None
    count = len(told["collisions"])
    say = (
        f"Waits before it begins: {count} thing{'' if count == 1 else 's'} {'is' if count == 1 else 'are'} in the way."
    )
    left = max(0, told["of_seconds"] - told["waited_seconds"])
    plain = f"Nothing has changed. It begins by itself when that is gone, and gives up after another {left}\u00a0s."
    return Verdict("waiting-for-others", say, plain, tuple(facts))


def _seconds(length: timedelta) -> str:
    return f"{length.total_seconds():,.0f}\u00a0s"
