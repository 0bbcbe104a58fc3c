"""How the latency of a run's application is shown: its drawing, and the same in words."""

from collections.abc import Iterable
from dataclasses import dataclass

from deployments.selectors.latency import Latency, latency_of
from deployments.selectors.run_page import RunPage
from deployments.templatetags.locktender import milliseconds, utc
from deployments.views.sparkline import Sparkline, sparkline


@dataclass(frozen=True, slots=True)
class Shown:
    """What is told, its drawing, and the words that stand for the drawing."""

    told: Latency
    chart: Sparkline
    words: str


def shown_latency(seen: RunPage) -> Shown | None:
    """Return what the page of a run shows of its application's latency, None if there is nothing to be shown."""
    told = latency_of((seen.plan["health"] or {}).get("latency_path", ""), seen.works)
    if told is None:
        return None
    chart = sparkline(
        [(one.at, one.milliseconds) for one in told.readings],
        level=told.before,
        spans=[(span.began_at, span.ended_at) for span in told.spans],
    )
    return Shown(told, chart, " ".join(_words(told)))


def _words(told: Latency) -> Iterable[str]:
    first, last, worst = told.readings[:1], told.last, told.worst
    if not first or last is None:
        yield f"{told.name} of the application: no reading."
        return
    many = len(told.readings)
    count = "1 reading" if many == 1 else f"{many} readings"
    yield f"{told.name} of the application from {utc(first[0].at, 'time')} to {utc(last.at, 'clock')}, {count}."
    yield f"Before the change {_or_not(told.before)}."
    if worst is not None:
        yield f"Worst {_or_not(worst.milliseconds)} at {utc(worst.at, 'time')}."
    yield f"{'Now' if told.is_live else 'Last'} {_or_not(last.milliseconds)}."
    if told.missing:
        yield f"Not measured in {told.missing} of {many}."
    for span in told.spans:
        yield f"Migrate began {utc(span.began_at, 'time')}."
        if span.ended_at is not None:
            yield f"It ended {utc(span.ended_at, 'time')}."


def _or_not(value: float | None) -> str:
    return "not measured" if value is None else milliseconds(value)
