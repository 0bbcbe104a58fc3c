"""What a rehearsal proves about a way back: one of three outcomes, the reasons, and what each statement did."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from checks.rehearsal.plans import PlanChange
from checks.rehearsal.rates import Measured
from checks.words import amount, duration_words, listed, plural, span_words

SPREAD = 2.0  # a clone is another machine with other neighbours: half to twice what its size lets one expect
_LEAST, _EXACT_BELOW = 0.1, 10.0  # seconds
LABELS = "labels"
"""What a Loss calls those of an enum: nothing is lost, but PostgreSQL cannot take them away."""


class Outcome(StrEnum):
    """What is known of a way back. There are no others: what was not tried is not proven."""

    RESTORES = "restores everything"
    LOSES = "restores the schema and loses named data"
    NOT_PROVEN = "not proven"


@dataclass(frozen=True, slots=True)
class Loss:
    """What its author declared irreversible: data, or labels of an enum that stay.

    `count` of `total` values or rows did not come back on the clone. `is_exact` is False where there were too many rows
    to compare one by one: then it is at most `count`.
    """

    name: str
    what: str  # values, rows, or LABELS
    count: int
    total: int
    is_exact: bool = True

    def __str__(self) -> str:
        if self.what == LABELS:
            return f"{self.count} new {plural(self.count, 'label')} of {self.name}"
        most = "" if self.is_exact else "at most "
        return f"{most}{self.count:,} of {self.total:,} {self.what} of {self.name}"


@dataclass(frozen=True, slots=True)
class Traced:
    """What one statement did on the clone. `wal_bytes` is at most: others may write on that server meanwhile.

    None is "not measured". `locks` are (relation, mode), the strongest on each relation that was there before.
    """

    migration: str
    direction: str
    number: int  # from 1
    line: int
    kind: str
    seconds: float
    locks: tuple[tuple[str, str], ...] = ()
    rewrites: tuple[str, ...] = ()
    rows: int | None = None
    wal_bytes: int | None = None
    temp_bytes: int | None = None
    is_sampled: bool = False  # its locks were looked at from another session meanwhile: a short one may be missing


@dataclass(frozen=True, slots=True)
class Try:
    """One thing that was tried, in words, and how long it took."""

    what: str
    is_good: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of a rehearsal, bound to the scripts it played.

    `problems` are sentences, the first difference first; empty unless the outcome is NOT_PROVEN. `remarks` decide
    nothing. `untried` names what could not be tried, with the reason. `neutralised` is what was cut off from the world.

    `masked` says what changed the data before anything else read it. `plans` are the queries that are planned worse
    with the new schema, of so many `queries`; `unplanned` says of which others nothing is known. They decide nothing
    about the way back. `measured` are the rates that the forward statements showed.
    """

    outcome: Outcome
    scripts: str
    at: datetime
    server_version: int
    clone_bytes: int
    seconds: float
    problems: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()
    remarks: tuple[str, ...] = ()
    untried: tuple[str, ...] = ()
    newcomers: tuple[str, ...] = ()
    tries: tuple[Try, ...] = ()
    traced: tuple[Traced, ...] = ()
    neutralised: tuple[str, ...] = field(default=())
    masked: str = ""
    queries: int = 0
    plans: tuple[PlanChange, ...] = ()
    unplanned: tuple[str, ...] = ()
    measured: tuple[Measured, ...] = ()

    @property
    def sentence(self) -> str:
        """The outcome with its reason, as it stands behind "way back:"."""
        if self.outcome is Outcome.NOT_PROVEN:
            return f"{self.outcome}: {self.problems[0]}" if self.problems else str(self.outcome)
        if self.outcome is Outcome.LOSES:
            lost = [str(one) for one in self.losses if one.what != LABELS]
            kept = [str(one) for one in self.losses if one.what == LABELS]
            told = [f"loses {listed(lost)}"] * bool(lost) + [f"keeps {listed(kept)}"] * bool(kept)
            return f"restores the schema and {' and '.join(told)}"
        return str(self.outcome)

    def as_evidence(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"outcome": str(self.outcome), "at": self.at.isoformat()}

    @classmethod
    def of_evidence(cls, kept: Mapping[str, Any]) -> Self:
        """Return what `as_evidence` wrote."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()
        }
        values |= {
            "outcome": Outcome(kept["outcome"]),
            "at": datetime.fromisoformat(kept["at"]),
            "losses": tuple(Loss(**one) for one in kept["losses"]),
            "tries": tuple(Try(**one) for one in kept["tries"]),
            "plans": tuple(PlanChange(**one) for one in kept.get("plans", ())),
            "measured": tuple(Measured(**one) for one in kept.get("measured", ())),
            "traced": tuple(
                Traced(**one | {"locks": tuple(map(tuple, one["locks"])), "rewrites": tuple(one["rewrites"])})
                for one in kept["traced"]
            ),
        }
        return cls(**values)


def scripts_digest(scripts: Iterable[tuple[str, str, str]]) -> str:
    """Return the SHA-256 over (migration, direction, SHA-256 of the script) of a plan, in its order.

    A proof holds for exactly these bytes in exactly this order, and for no others.
    """
    lines = (" ".join(one) for one in scripts)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def here(one: Traced, *, clone_bytes: int, target_bytes: int | None) -> str:
    """Return what a statement took on the clone and may take on the target, as words; the range is an estimate."""
    took = f"{measured_words(one.seconds)} on a clone of {amount(clone_bytes)}"
    likely = scaled(one.seconds, clone_bytes=clone_bytes, target_bytes=target_bytes or 0)
    if likely is None:
        return f"{took}; how long here is not known, because its size is not"
    return f"{took}; here likely {range_words(*likely)}"


def range_words(low: float, high: float) -> str:
    """Return a range of seconds that follows from a measured time, to a tenth of a second where it is short."""
    if high >= _EXACT_BELOW:
        return span_words(low, high)
    if low < _LEAST:
        return measured_words(high) if high < _LEAST else f"up to {measured_words(high)}"
    return f"{low:.1f} to {high:.1f} s"


def measured_words(seconds: float) -> str:
    """Return a measured time, to a tenth of a second where it is short."""
    if seconds < _LEAST:
        return f"less than {_LEAST} s"
    return f"{seconds:.1f} s" if seconds < _EXACT_BELOW else duration_words(seconds)


def scaled(seconds: float, *, clone_bytes: int, target_bytes: int) -> tuple[float, float] | None:
    """Return how long a statement may take on the target, as a range of seconds; None where a size is not known.

    Seconds on the clone times the proportion of the sizes (section 4.2 of the reliability study), half and twice.
    """
    if clone_bytes <= 0 or target_bytes <= 0:
        return None
    expected = seconds * max(1.0, target_bytes / clone_bytes)
    return expected / SPREAD, expected * SPREAD
