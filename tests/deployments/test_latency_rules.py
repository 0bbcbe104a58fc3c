"""What the control database holds about readings of latency by itself, and what is stored for whom."""

from datetime import UTC, datetime

import pytest

from deployments.models import Job, LatencyReading
from deployments.services import latency
from deployments.services.latency import keep_latency
from tests.deployments.cast import Cast, begin
from tests.deployments.refusals import not_permitted, refused_by


@pytest.fixture
def job(cast: Cast) -> Job:
    """A job that an executor holds."""
    return begin(cast.job())


def keep(job: Job, *, milliseconds: float | None = 214.5, is_healthy: bool = True) -> bool:
    return keep_latency(job.pk, fence=job.fence, milliseconds=milliseconds, is_healthy=is_healthy)


def stored() -> list[tuple[int, float | None, bool]]:
    return list(LatencyReading.objects.values_list("number", "milliseconds", "is_healthy"))


def test_readings_are_numbered_within_their_job_and_dated_by_the_database(cast, job):
    elsewhere = cast.staging.databases.create(name="rewards_staging", connection="env:REWARDS_STAGING")
    other = begin(cast.job(cast.run(environment=cast.staging), database=elsewhere))

    kept = [keep(job), keep(job, milliseconds=None, is_healthy=False), keep(other), keep(job, milliseconds=0)]

    assert kept == [True] * 4

    own = list(job.latency_readings.values_list("number", "milliseconds", "is_healthy"))
    assert own == [(1, 214.5, True), (2, None, False), (3, 0, True)]
    assert list(other.latency_readings.values_list("number", flat=True)) == [1]
    times = list(job.latency_readings.values_list("at", flat=True))
    assert times == sorted(times)
    assert times[0] > Job.objects.get(pk=job.pk).started_at


def test_a_writer_cannot_choose_the_time(job):
    LatencyReading.objects.create(job=job, number=1, is_healthy=True, at=datetime(2001, 1, 1, tzinfo=UTC))

    assert LatencyReading.objects.get().at.year > 2001


def test_a_reading_is_kept_as_it_was_written(job):
    keep(job)

    with not_permitted():
        LatencyReading.objects.update(milliseconds=1)
    with not_permitted():
        LatencyReading.objects.all().delete()
    with refused_by("latencyreading_append_only", using="owner"):
        LatencyReading.objects.using("owner").update(milliseconds=1)
    assert stored() == [(1, 214.5, True)]


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"milliseconds": -0.1}, "latency_makes_sense"),
        ({"milliseconds": float("nan")}, "latency_makes_sense"),
        ({"milliseconds": float("inf")}, "latency_makes_sense"),
        ({"milliseconds": 86_400_000.1}, "latency_makes_sense"),
        ({"number": 0}, "latency_number_bounded"),
        ({"number": 10_001}, "latency_number_bounded"),
    ],
)
def test_a_reading_that_makes_no_sense_is_refused(job, fields, rule):
    with refused_by(rule):
        LatencyReading.objects.create(**{"job": job, "number": 1, "milliseconds": 1.0, "is_healthy": True} | fields)
    assert stored() == []


def test_one_number_is_given_once(job):
    keep(job)

    with refused_by("latency_number_once"):
        LatencyReading.objects.create(job=job, number=1, is_healthy=True)


def test_nothing_is_stored_for_an_executor_that_does_not_hold_the_job(cast, job):
    assert not keep_latency(job.pk, fence=job.fence - 1, milliseconds=1, is_healthy=True)

    assert stored() == []


def test_nothing_is_stored_for_a_job_that_does_not_run(cast):
    queued = cast.job()
    assert not keep_latency(queued.pk, fence=1, milliseconds=1, is_healthy=True)

    ended = begin(queued)
    Job.objects.filter(pk=ended.pk).update(state="succeeded")
    assert not keep(ended)

    assert stored() == []


def test_a_job_has_no_more_than_so_many(job, monkeypatch):
    monkeypatch.setattr(latency, "MOST_READINGS", 3)

    assert [keep(job) for _ in range(5)] == [True, True, True, False, False]

    assert [number for number, _, _ in stored()] == [1, 2, 3]
