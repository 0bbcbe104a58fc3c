"""Where the parts of a sparkline stand: a line over time, its gaps, a level to compare with, and spans behind it."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

WIDTH, HEIGHT, MARGIN = 1000, 120, 6  # of the drawing, whose width is stretched to its place; above and below the scale
MOST_POINTS = 240
FAR = 4  # times the usual distance of two values: nothing was measured in between
HEADROOM = 1.2
STEPS = (1, 2, 3, 4, 5, 6, 8, 10)  # a scale ends at one of these, times a power of ten

Value = tuple[datetime, float | None]
Part = tuple[str, str]
"""Left and width."""


@dataclass(frozen=True, slots=True)
class Sparkline:
    """The parts of a drawing, in its units and as text; `top` is what the scale ends at, in those of the values."""

    line: str = ""  # the data of a path; it is broken where nothing was measured
    last: str = ""  # the data of a path that is a dot; "" if the last value is none
    level: str = ""  # the height of the level to compare with, "" without one
    spans: tuple[tuple[str, str, tuple[str, ...]], ...] = ()  # left, width, and where it began and ended
    gaps: tuple[Part, ...] = ()
    top: float = 0
    times: tuple[datetime, ...] = ()  # at the left, in the middle, at the right

    @property
    def middle(self) -> float:
        """What stands in the middle of the scale."""
        return self.top / 2


@dataclass(frozen=True, slots=True)
class Frame:
    """How instants and values become places."""

    begin: datetime
    end: datetime
    top: float

    def x(self, at: datetime) -> float:
        """Return how far right an instant is; what lies outside is put at the edge."""
        whole = (self.end - self.begin).total_seconds()
        share = (at - self.begin).total_seconds() / whole if whole else 1.0
        return WIDTH * min(1.0, max(0.0, share))

    def y(self, value: float) -> float:
        """Return how far down a value is."""
        return HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * value / self.top


def sparkline(
    values: Sequence[Value],
    *,
    level: float | None = None,
    spans: Iterable[tuple[datetime, datetime | None]] = (),
) -> Sparkline:
    """Return the drawing of values in the order of their time. A value that is None is a gap, and never a zero.

    Where there are more than fit, the highest of each part is drawn. A span without an end goes on to the right edge.
    """
    if not values:
        return Sparkline()
    told = [value for _, value in values if value is not None]
    frame = Frame(values[0][0], values[-1][0], _top(max([*told, level or 0])))
    line, gaps = _course(values, frame)
    at, last = values[-1]
    return Sparkline(
        line=line,
        last="" if last is None else f"{_dot(frame.x(at), frame.y(last))}",
        level="" if level is None else _short(frame.y(level)),
        spans=tuple(_span(began, ended, frame) for began, ended in spans),
        gaps=gaps,
        top=frame.top,
        times=(frame.begin, frame.begin + (frame.end - frame.begin) / 2, frame.end),
    )


def _course(values: Sequence[Value], frame: Frame) -> tuple[str, tuple[Part, ...]]:
    """Return the line and the gaps in it."""
    far = _far(values)
    parts: list[list[tuple[float, float]]] = []
    gaps: list[Part] = []
    before: datetime | None = None  # when the latest value was told
    missed = False  # since then
    for at, value, is_torn in _thinned(values):
        if value is None:
            missed = True
            continue
        if before is None or missed or at - before > far:
            if before is not None or missed:
                gaps.append(_part(frame.x(before) if before else 0, frame.x(at)))
            parts.append([])
        parts[-1].append((frame.x(at), frame.y(value)))
        if is_torn:
            half = WIDTH / MOST_POINTS / 2
            gaps.append(_part(frame.x(at) - half, frame.x(at) + half))
        before, missed = at, False
    if missed:
        gaps.append(_part(frame.x(before) if before else 0, WIDTH))
    return " ".join(map(_path, parts)), tuple(gaps)


def _thinned(values: Sequence[Value]) -> Iterable[tuple[datetime, float | None, bool]]:
    """Yield the highest value of each part of the time, and whether another of that part was none."""
    if len(values) <= MOST_POINTS:
        yield from ((at, value, False) for at, value in values)
        return
    begin, width = values[0][0], (values[-1][0] - values[0][0]) / MOST_POINTS
    buckets: list[list[Value]] = [[] for _ in range(MOST_POINTS)]
    for one in values:
        place = int((one[0] - begin) / width) if width else 0
        buckets[min(place, MOST_POINTS - 1)].append(one)
    for bucket in filter(None, buckets):
        told = [(value, at) for at, value in bucket if value is not None]
        if told:
            value, at = max(told)
            yield at, value, len(told) < len(bucket)
        else:
            yield bucket[0][0], None, False


def _far(values: Sequence[Value]) -> timedelta:
    """Return how far apart two values may be before the line between them would say what nobody measured."""
    apart = [later - earlier for (earlier, _), (later, _) in pairwise(values)]
    if len(apart) < 2:  # noqa: PLR2004 # one distance alone is the usual one
        return timedelta.max
    drawn = (values[-1][0] - values[0][0]) / MOST_POINTS
    return max(FAR * timedelta(seconds=median(one.total_seconds() for one in apart)), 2 * drawn)


def _top(highest: float) -> float:
    """Return a round number that leaves some room above the highest value."""
    if highest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(highest * HEADROOM))
    return next(step * power for step in STEPS if step * power >= highest * HEADROOM or step == STEPS[-1])


def _span(began: datetime, ended: datetime | None, frame: Frame) -> tuple[str, str, tuple[str, ...]]:
    edges = tuple(_short(frame.x(at)) for at in (began, ended) if at is not None)
    return *_part(frame.x(began), frame.x(ended or frame.end)), edges


def _path(points: Sequence[tuple[float, float]]) -> str:
    if len(points) == 1:
        return _dot(*points[0])
    return "M" + "L".join(f"{_short(x)} {_short(y)}" for x, y in points)


def _dot(x: float, y: float) -> str:
    return f"M{_short(x)} {_short(y)}h.01"


def _part(left: float, right: float) -> Part:
    return _short(left), _short(max(0.0, right - left))


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
