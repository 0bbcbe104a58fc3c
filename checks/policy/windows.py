"""Low-traffic windows: when a plan that is not safe may run, on the local clocks of those who use the application."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMES = dict(zip(DAYS, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True))
_KEYS = frozenset({"days", "begin", "end", "timezone"})


@dataclass(frozen=True, slots=True)
class Window:
    """A time of the week, on local clocks. One that ends at or before its begin lasts into the next day."""

    days: tuple[str, ...]  # the days on which it begins, of DAYS
    begin: time
    end: time
    timezone: str  # of the IANA database, such as Europe/Ljubljana

    def __str__(self) -> str:
        days = ", ".join(_NAMES[day] for day in self.days) if len(self.days) < len(DAYS) else "every day"
        return f"{days} {self.begin:%H:%M} to {self.end:%H:%M} ({self.timezone})"

    @property
    def zone(self) -> ZoneInfo:
        """The clock it is read on."""
        return ZoneInfo(self.timezone)

    def as_plan(self) -> dict[str, Any]:
        """Return the window as the values that `window_of` reads, and that are digested."""
        return {
            "days": list(self.days),
            "begin": f"{self.begin:%H:%M}",
            "end": f"{self.end:%H:%M}",
            "timezone": self.timezone,
        }

    def spans(self, around: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the begin and end of each opening from the day before `around` to eight days after, in order."""
        zone = self.zone
        today = around.astimezone(zone).date()
        for day in (today + timedelta(days=number) for number in range(-1, 9)):
            if DAYS[day.weekday()] in self.days:
                last = day if self.end > self.begin else day + timedelta(days=1)
                # On one clock, so that the hour that is left out or comes twice in a year is counted as it passes.
                begin = datetime.combine(day, self.begin, zone).astimezone(around.tzinfo)
                end = datetime.combine(last, self.end, zone).astimezone(around.tzinfo)
                if begin < end:  # a window inside the hour that is left out does not open on that day
                    yield begin, end


def window_of(value: object) -> Window:
    """Return the window that a policy's JSON describes. Raises ValueError with what is wrong with it."""
    if not isinstance(value, Mapping) or set(value) != _KEYS:
        raise ValueError('a window has "days", "begin", "end" and "timezone"')
    days, timezone = value["days"], value["timezone"]
    if not isinstance(days, list | tuple) or not days or not all(day in DAYS for day in days):
        raise ValueError(f"the days of a window are of {', '.join(DAYS)}")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as unknown:
        raise ValueError(f"no timezone is called {timezone!r}; write one such as Europe/Ljubljana") from unknown
    return Window(tuple(day for day in DAYS if day in days), _time(value["begin"]), _time(value["end"]), str(timezone))


def open_until(windows: Sequence[Window], now: datetime) -> datetime | None:
    """Return until when one of the windows is open at an aware moment; None if all are closed then."""
    ends = [end for one in windows for begin, end in one.spans(now) if begin <= now < end]
    return max(ends, default=None)


def next_opening(windows: Sequence[Window], now: datetime) -> datetime | None:
    """Return when the first of the windows opens after an aware moment; None without windows."""
    return min((begin for one in windows for begin, _ in one.spans(now) if begin > now), default=None)


def _time(value: object) -> time:
    try:
        return datetime.strptime(str(value), "%H:%M").time()  # noqa: DTZ007 # a time of the day on local clocks
    except ValueError:
        raise ValueError(f"{value!r} is no time of the day such as 01:30") from None
