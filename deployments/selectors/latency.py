"""What the application said of its own latency during a run: before the change, during it, and now."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from deployments.models import LatencyReading, Step
from deployments.selectors.rail import MIGRATE
from deployments.selectors.verdict_parts import Work
from deployments.states import JobState


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer of the application, as it was stored. `milliseconds` is None where it carried no latency."""

    job_id: int
    at: datetime
    milliseconds: float | None
    is_healthy: bool


@dataclass(frozen=True, slots=True)
class Span:
    """When a migrate step began and ended, over all attempts that count; it goes on while `ended_at` is None."""

    began_at: datetime
    ended_at: datetime | None


@dataclass(slots=True)
class Figures:
    """The readings of one step in numbers. What was not measured is None."""

    name: str
    database: str  # "" if the run has only one
    readings: list[Reading] = field(default_factory=list)

    @property
    def told(self) -> list[float]:
        """The latencies, in the order they came."""
        return [one.milliseconds for one in self.readings if one.milliseconds is not None]

    @property
    def missing(self) -> int:
        """How many readings carry no latency."""
        return len(self.readings) - len(self.told)

    @property
    def unhealthy(self) -> int:
        """How many answers were not healthy."""
        return sum(not one.is_healthy for one in self.readings)

    @property
    def median(self) -> float | None:
        """The latency in the middle, in milliseconds."""
        return median(self.told) if self.told else None

    @property
    def worst(self) -> float | None:
        """The highest latency, in milliseconds."""
        return max(self.told, default=None)


@dataclass(frozen=True, slots=True)
class Latency:
    """The latency of a run's application. `before` is the median of the readings before anything was changed."""

    path: str  # where the answer carries it: "latency.p99_ms"
    readings: tuple[Reading, ...]
    spans: tuple[Span, ...]
    figures: tuple[Figures, ...]
    is_live: bool  # an executor asks at this moment

    @property
    def name(self) -> str:
        """The last part of the path, which is what the application calls it."""
        return self.path.rpartition(".")[2]

    @property
    def last(self) -> Reading | None:
        """The newest reading, None if there is none yet."""
        return self.readings[-1] if self.readings else None

    @property
    def worst(self) -> Reading | None:
        """The highest of all, None if none was told."""
        told = [one for one in self.readings if one.milliseconds is not None]
        return max(told, key=lambda one: one.milliseconds or 0, default=None)

    @property
    def missing(self) -> int:
        """How many readings carry no latency."""
        return sum(one.milliseconds is None for one in self.readings)

    @property
    def before(self) -> float | None:
        """The median before the first migrate step began, in milliseconds; of all readings if none has begun."""
        changed_at = min((span.began_at for span in self.spans), default=None)
        told = [
            one.milliseconds
            for one in self.readings
            if one.milliseconds is not None and (changed_at is None or one.at < changed_at)
        ]
        return median(told) if told else None


def latency_of(path: str, works: Sequence[Work]) -> Latency | None:
    """Return what was measured while these jobs worked; None if nothing is to be, or none of them has begun."""
    begun = [work for work in works if work.job.started_at is not None]
    if not path or not begun:
        return None
    stored = LatencyReading.objects.filter(job__in=[work.job.pk for work in begun]).order_by("at", "id")
    readings = tuple(
        Reading(*row) for row in stored.values_list("job_id", "at", "milliseconds", "is_healthy").iterator()
    )
    return Latency(
        path=path,
        readings=readings,
        spans=tuple(_spans(begun)),
        figures=tuple(_figures(begun, readings, many=len(works) > 1)),
        is_live=any(work.job.state == JobState.RUNNING and not work.lost for work in begun),
    )


def _spans(works: Iterable[Work]) -> Iterable[Span]:
    """Yield when each job changed its database.

    An attempt after which the database was prepared anew had changed nothing: it does not count.
    """
    for work in works:
        place = next((stage.position for stage in work.rail if stage.name == MIGRATE), 0)
        before = [step for stage in work.rail if stage.position < place for step in stage.attempts]
        prepared_at = max((step.started_at for step in before if step.started_at), default=None)
        attempts = [
            (step.started_at, step.finished_at)
            for stage in work.rail
            if stage.name == MIGRATE
            for step in stage.attempts
            if step.started_at and (prepared_at is None or step.started_at >= prepared_at)
        ]
        if attempts:
            yield Span(attempts[0][0], attempts[-1][1])


def _figures(works: Iterable[Work], readings: Sequence[Reading], *, many: bool) -> Iterable[Figures]:
    """Yield the figures of each step that has readings. One from before the first step counts as of the first."""
    for work in works:
        steps: list[Step] = sorted(
            (step for stage in work.rail for step in stage.attempts if step.started_at),
            key=lambda step: step.started_at or work.job.created_at,
        )
        if not steps:
            continue
        began = [step.started_at or work.job.created_at for step in steps]
        found: dict[str, Figures] = {}
        for one in readings:
            if one.job_id == work.job.pk:
                name = steps[max(0, bisect_right(began, one.at) - 1)].name
                database = work.job.database.name if many else ""
                found.setdefault(name, Figures(name, database)).readings.append(one)
        yield from found.values()
