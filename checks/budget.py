"""How long the application may wait for a migration, and what else stops it: by default, by policy, by script."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

Budget = Mapping[str, float | None]
"""How much of what: seconds, bytes or per cent, as the names say."""

DEFAULT: dict[str, float | None] = {
    # What the application may feel (DESIGN, section 6): the oldest who waits, all who wait together in one try of a
    # file, and in all of its tries (section 2.2 of the study).
    "oldest_seconds": 1.0,
    "total_seconds": 10.0,
    "tries_seconds": 20.0,
    # What the server may suffer; None: not asked. A value that a server does not tell is shown as not measured.
    "connections_percent": 90,  # of max_connections
    "replica_seconds": 30,
    "replica_bytes": 2**30,  # grown since the file began
    "wal_bytes": 8 * 2**30,  # kept back by slots, grown since the file began
    "free_disk_bytes": 2 * 2**30,
}
BLOCKING = ("oldest_seconds", "total_seconds", "tries_seconds")
"""What a script may ask more of: how long the application waits. The other limits are the policy's alone."""

LONGEST = {"oldest_seconds": 600.0, "total_seconds": 36_000.0, "tries_seconds": 72_000.0}
EVERY = 100  # per cent
_SAID = re.compile(r"(?P<name>oldest|total)=(?P<number>\d{1,5}(?:\.\d{1,3})?)(?P<unit>ms|s|min)", re.IGNORECASE)
_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0}


def budget_of(value: object) -> dict[str, float | None]:
    """Return the budget that a policy's JSON asks for: what it does not name stays at the default.

    Raises ValueError with what is wrong with it.
    """
    if not isinstance(value, Mapping) or not set(value) <= set(DEFAULT):
        raise ValueError(f"a budget has {', '.join(DEFAULT)} and nothing else")
    for name, number in value.items():
        if number is None and name not in BLOCKING:
            continue
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < float("inf"):
            raise ValueError(f'"{name}" must be a number above 0')
        if number > LONGEST.get(name, number):
            raise ValueError(f'"{name}" must be at most {LONGEST[name]:,.0f}')
    if (percent := value.get("connections_percent")) is not None and percent > EVERY:
        raise ValueError('"connections_percent" is at most 100')
    return DEFAULT | dict(value)


def asked_by_script(said: str) -> dict[str, float] | str:
    """Return what a script asks for in `oldest=5s total=1min`, in seconds; a sentence about what is wrong with it."""
    rest = _SAID.sub("", said).strip()
    told = {
        f"{one['name'].lower()}_seconds": float(one["number"]) * _UNITS[one["unit"].lower()]
        for one in _SAID.finditer(said)
    }
    if rest or not told:
        return "it must say oldest=SECONDSs, total=SECONDSs, or both, such as oldest=5s total=1min"
    for name, number in told.items():
        if not 0 < number <= LONGEST[name]:
            return f"{name.removesuffix('_seconds')} must be above 0 and at most {LONGEST[name]:,.0f} s"
    return told


def with_asked(budget: Budget, asked: Iterable[Mapping[str, float]]) -> dict[str, float | None]:
    """Return a budget raised to the most that any of the scripts asks for; none of them lowers it."""
    raised = dict(budget)
    for one in asked:
        for name in BLOCKING:
            raised[name] = max(float(raised[name] or 0), one.get(name, 0.0))
    raised["tries_seconds"] = max(float(raised["tries_seconds"] or 0), float(raised["total_seconds"] or 0))
    return raised


def asks_for_more(budget: Mapping[str, Any], than: Budget) -> bool:
    """Return whether the application may wait longer than by another budget."""
    return any((budget[name] or 0) > (than[name] or 0) for name in BLOCKING)
