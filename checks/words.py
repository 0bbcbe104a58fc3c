"""Sizes, times and lists as a person reads them: as exact as they are known, and not more."""

from __future__ import annotations

from collections.abc import Sequence

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
_THOUSAND = 1000
_EXACT_BELOW = 10
_UNIT_SECONDS = ((86_400, "days"), (3_600, "h"), (60, "min"), (1, "s"))
_FULL = 1.5  # a larger unit is used from one and a half of it on: "80 s" says more than "1 min"


def amount(size_bytes: int) -> str:
    """Return a size: `512 bytes`, `1.9 GB`, `808 MB`. A unit is a thousand of the one before."""
    size, unit = float(size_bytes), 0
    while round(size) >= _THOUSAND and unit < len(_UNITS) - 1:
        size, unit = size / _THOUSAND, unit + 1
    exact = unit > 0 and size < _EXACT_BELOW
    return f"{size:.1f} {_UNITS[unit]}" if exact else f"{size:.0f} {_UNITS[unit]}"


def duration_words(seconds: float) -> str:
    """Return a time as exact as an estimate is: `less than 1 s`, `8 s`, `20 s`, `2 min`, `3 h`."""
    if seconds < 1:
        return "less than 1 s"
    length, unit = next((one for one in _UNIT_SECONDS if seconds >= _FULL * one[0]), _UNIT_SECONDS[-1])
    count = seconds / length
    if count >= _EXACT_BELOW:
        count = round(count / 5) * 5
    return f"{max(1, round(count))} {unit}"


def span_words(low: float, high: float) -> str:
    """Return a range of seconds: `20 s to 2 min`, `up to 5 s`, `about 2 min`, `less than 1 s`."""
    first, last = duration_words(low), duration_words(high)
    if first == last:
        return last if high < 1 else f"about {last}"
    return f"up to {last}" if low < 1 else f"{first} to {last}"


def listed(names: Sequence[str], *, most: int = 6) -> str:
    """Return names as a list: `a, b and c`. Behind the first few, how many more there are."""
    shown, more = list(names[:most]), len(names) - most
    if more > 0:
        shown.append(f"{more} more")
    return " and ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))


def plural(count: int, one: str, many: str = "") -> str:
    """Return the word for so many things, without the number: `table`, `tables`; `many` where it does not end in s."""
    return one if count == 1 else many or f"{one}s"


def counted(count: float, one: str, many: str = "") -> str:
    """Return a number of things: `1 table`, `3 tables`, `0 rows`. A number that is not whole is rounded."""
    whole = round(count)
    return f"{whole} {plural(whole, one, many)}"
