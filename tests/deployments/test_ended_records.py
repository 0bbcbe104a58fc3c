"""What is over stays as it ended, and every time in the record is the database's."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from deployments.models import Approval, Job, MigrationRun, Observation, Script, Step
from tests.deployments.cast import Cast, begin, script, step
from tests.deployments.refusals import refused_by

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
SOON = timedelta(minutes=1)


def is_now(moment: datetime) -> bool:
    return abs(timezone.now() - moment) < SOON


@pytest.mark.parametrize(
    "change",
    [{"error": "x"}, {"applied": 9}, {"plan_moved": True}, {"sent_at": LONG_AGO}, {"executor": "x", "fence": 10**9}],
)
def test_a_job_that_is_over_is_kept_as_it_ended(cast: Cast, change):
    job = begin(cast.job())
    Job.objects.filter(pk=job.pk).update(state="failed", error="lock timeout", applied=1)

    with refused_by("job_stays_as_it_ended"):
        Job.objects.filter(pk=job.pk).update(**change)


@pytest.mark.parametrize(
    "change", [{"summary": "x"}, {"evidence": {"rows": 0}}, {"error_code": "x"}, {"progress": {"done": 1}}]
)
def test_a_step_that_is_over_is_kept_as_it_ended(cast: Cast, change):
    attempt = step(begin(cast.job()))
    Step.objects.filter(pk=attempt.pk).update(state="running")
    Step.objects.filter(pk=attempt.pk).update(state="succeeded", summary="3 of 3", evidence={"rows": 3})

    with refused_by("step_stays_as_it_ended"):
        Step.objects.filter(pk=attempt.pk).update(**change)


def test_a_run_that_is_over_is_kept_as_it_ended_and_its_revision_still_rises(cast: Cast):
    run = cast.run()
    MigrationRun.objects.filter(pk=run.pk).update(state="cancelled")

    with refused_by("migrationrun_stays_as_it_ended"):
        MigrationRun.objects.filter(pk=run.pk).update(cancel_requested_at=Now(), cancel_requested_by=cast.noor)
    MigrationRun.objects.filter(pk=run.pk).update(revision=1)
    run.refresh_from_db()
    assert run.revision == 3


def test_the_identity_of_a_row_never_changes(cast: Cast):
    job = cast.job()
    attempt = step(job)

    with refused_by("job_frozen"):
        Job.objects.filter(pk=job.pk).update(id=1_000)
    with refused_by("step_frozen"):
        Step.objects.filter(pk=attempt.pk).update(id=1_000)


def test_finished_at_is_set_by_the_move_into_a_final_state_and_by_nothing_else(cast: Cast):
    run, job = cast.run(), begin(cast.job())
    attempt = step(job)

    Step.objects.filter(pk=attempt.pk).update(state="running")
    for row, state in ((run, "cancelled"), (attempt, "skipped"), (job, "failed")):
        rows = type(row).objects.filter(pk=row.pk)
        with refused_by(f"{row._meta.model_name}_finished_at"):
            rows.update(finished_at=Now())
        rows.update(state=state, finished_at=LONG_AGO)
        row.refresh_from_db()
        assert is_now(row.finished_at)
        with refused_by(f"{row._meta.model_name}_finished_at"):
            rows.update(finished_at=LONG_AGO)


def test_started_at_is_set_by_the_first_move_into_running_and_by_nothing_else(cast: Cast):
    job = cast.job(started_at=LONG_AGO)
    attempt = step(job, started_at=LONG_AGO)

    for row in (job, attempt):
        rows = type(row).objects.filter(pk=row.pk)
        assert rows.get().started_at is None
        with refused_by(f"{row._meta.model_name}_started_at"):
            rows.update(started_at=LONG_AGO)
        begin(row) if row is job else rows.update(state="running", started_at=LONG_AGO)
        first = rows.get().started_at
        assert is_now(first)

    Step.objects.filter(pk=attempt.pk).update(state="interrupted")
    Job.objects.filter(pk=job.pk).update(state="queued")
    begin(job)
    assert Job.objects.get(pk=job.pk).started_at < first


def test_nothing_is_dated_back(cast: Cast):
    run = cast.run(created_at=LONG_AGO)
    Approval.objects.create(
        run=run, requester=cast.dana, digest=run.digest, approver=cast.lee, role="dba", verdict="approved",
        created_at=LONG_AGO,
    )  # fmt: skip
    Observation.objects.create(
        database=cast.rewards_prod, observed_at=LONG_AGO, system_identifier="7", database_name="r", server_version=1,
        history=[], history_hash="", schema={}, fingerprint="", connections=1, sizes={},
    )  # fmt: skip
    script()

    assert is_now(MigrationRun.objects.get().created_at)
    assert is_now(Approval.objects.get().created_at)
    assert is_now(Observation.objects.get().observed_at)
    assert is_now(Script.objects.get().created_at)


def test_the_database_counts_the_revisions(cast: Cast):
    run = cast.run(revision=50)

    assert MigrationRun.objects.get().revision == 1
    for _ in range(2):
        MigrationRun.objects.filter(pk=run.pk).update(revision=0)
    assert MigrationRun.objects.get().revision == 3


def test_a_cancel_request_is_never_taken_back_nor_dated_back(cast: Cast):
    run = MigrationRun.objects.filter(pk=cast.run().pk)
    run.update(cancel_requested_at=LONG_AGO, cancel_requested_by=cast.noor)

    assert is_now(run.get().cancel_requested_at)
    for change in (
        {"cancel_requested_at": None, "cancel_requested_by": None},
        {"cancel_requested_at": LONG_AGO},
        {"cancel_requested_by": cast.dana},
    ):
        with refused_by("run_cancel_request"):
            run.update(**change)
