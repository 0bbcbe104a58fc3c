"""What the database refuses about runs and jobs, whoever asks."""

import uuid

import pytest
from django.db.models.functions import Now

from deployments.models import Database, Environment, Job, MigrationRun, Policy, Step
from tests.deployments.cast import Cast, begin, step
from tests.deployments.refusals import not_permitted, refused_by


@pytest.mark.parametrize("state", ["running", "needs_attention"])
def test_a_database_has_one_writer_at_a_time(cast: Cast, state):
    first, second = cast.job(), cast.job()
    begin(first)
    Job.objects.filter(pk=first.pk).update(state=state)

    with refused_by("job_one_writer_per_database"):
        begin(second)


def test_a_rehearsal_runs_beside_a_writer(cast: Cast):
    writer, rehearsal = cast.job(), cast.job(cast.run(kind="rehearsal"), writes=False)

    begin(writer)
    begin(rehearsal)

    assert Job.objects.filter(state="running").count() == 2


@pytest.mark.parametrize(("kind", "writes"), [("deploy", False), ("rollback", False), ("rehearsal", True)])
def test_every_job_writes_but_that_of_a_rehearsal(cast: Cast, kind, writes):
    run = cast.run(kind=kind, reverts=cast.run() if kind == "rollback" else None)

    with refused_by("job_writes_unless_rehearsed"):
        cast.job(run, writes=writes)


def test_a_running_job_holds_a_fence_and_a_lease(cast: Cast):
    with refused_by("job_running_has_fence_and_lease"):
        Job.objects.filter(pk=cast.job().pk).update(state="running", fence=1)


def test_a_fence_never_falls(cast: Cast):
    job = cast.job()
    Job.objects.filter(pk=job.pk).update(fence=9)

    with refused_by("job_fence_rises"):
        Job.objects.filter(pk=job.pk).update(fence=8)
    with refused_by("job_fence_rises"):
        Job.objects.filter(pk=job.pk).update(fence=None)


@pytest.mark.parametrize("change", [{"executor": "thief/1"}, {"claims": 9}])
def test_a_job_changes_hands_under_a_higher_fence_only(cast: Cast, change):
    job = begin(cast.job())

    with refused_by("job_fence_rises"):
        Job.objects.filter(pk=job.pk).update(**change)
    with refused_by("job_fence_rises"):
        Job.objects.filter(pk=job.pk).update(**change, fence=job.fence)
    assert Job.objects.filter(pk=job.pk).update(**change, fence=job.fence + 1) == 1


def test_a_job_runs_again_under_a_higher_fence_only(cast: Cast):
    job = begin(cast.job())
    Job.objects.filter(pk=job.pk).update(state="queued")

    with refused_by("job_fence_rises"):
        Job.objects.filter(pk=job.pk).update(state="running")


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "0" * 64},
        {"plan_text": "{}"},
        {"reason": "Another"},
        {"kind": "restore"},
        {"number": 1_000},
        {"request_key": uuid.UUID(int=1)},
        {"change_reference": "REW-1"},
        {"judgement": {"reasons": []}},
        {"id": 1_000},
    ],
)
def test_what_a_run_will_do_never_changes(cast: Cast, change):
    with refused_by("migrationrun_frozen"):
        MigrationRun.objects.filter(pk=cast.run().pk).update(**change)


def test_a_digest_is_the_hash_of_its_plan(cast: Cast):
    with refused_by("run_digest_of_its_plan"):
        cast.run(digest="0" * 64)


def test_a_second_open_run_of_the_same_plan_is_refused(cast: Cast):
    run = cast.run()
    same = {"plan_text": run.plan_text, "digest": run.digest}

    with refused_by("run_open_once_per_plan"):
        cast.run(**same)

    MigrationRun.objects.filter(pk=run.pk).update(state="cancelled")
    assert cast.run(**same).state == "awaiting"


def test_a_double_submit_dies_on_its_request_key(cast: Cast):
    with refused_by("deployments_migrationrun_request_key_key"):
        cast.run(request_key=cast.run().request_key)


def test_runs_are_numbered_without_gaps(cast: Cast):
    first = cast.run()
    with refused_by("run_digest_of_its_plan"):
        cast.run(digest="0" * 64)
    second = cast.run(number=77)

    assert (first.number, second.number) == (1, 2)


def test_a_rollback_names_the_run_it_reverts(cast: Cast):
    with refused_by("run_rollback_names_what_it_reverts"):
        cast.run(kind="rollback")
    assert cast.run(kind="rollback", reverts=cast.run()).reverts.number == 1


def test_a_run_belongs_to_one_environment_with_its_policy_and_what_it_reverts(cast: Cast):
    elsewhere = cast.run(environment=cast.staging)

    with refused_by("run_policy_of_its_environment"):
        cast.run(policy=Policy.objects.get(environment=cast.staging))
    with refused_by("run_reverts_in_its_environment"):
        cast.run(kind="rollback", reverts=elsewhere)
    with refused_by("run_supersedes_in_its_environment"):
        cast.run(supersedes=elsewhere)
    with refused_by("job_fits_run"):
        cast.job(run=elsewhere)


@pytest.mark.parametrize(("field", "constraint"), [("kind", "run_kind_known"), ("reason", "run_reason_present")])
def test_a_run_has_a_known_kind_and_a_reason(cast: Cast, field, constraint):
    with refused_by(constraint):
        cast.run(**{field: ""})


def test_a_cancel_request_names_its_person(cast: Cast):
    with refused_by("run_cancel_request_names_its_person"):
        MigrationRun.objects.filter(pk=cast.run().pk).update(cancel_requested_at=Now())


def test_a_run_has_one_job_per_database_and_place(cast: Cast):
    run = cast.run()
    cast.job(run)
    other = Database.objects.create(environment=cast.production, name="second", position=2, connection="env:SECOND")

    with refused_by("job_once_per_database"):
        cast.job(run)
    with refused_by("job_position_once"):
        cast.job(run, database=other, position=1)


def test_a_job_runs_one_step_at_a_time_and_each_attempt_is_a_row(cast: Cast):
    job = begin(cast.job())
    first, second = step(job), step(job)
    Step.objects.filter(pk=first.pk).update(state="running")

    with refused_by("step_one_running_per_job"):
        Step.objects.filter(pk=second.pk).update(state="running")
    with refused_by("step_attempt_once"):
        step(job, position=1)


@pytest.mark.parametrize("using", ["default", "owner"])
def test_history_is_never_deleted(cast: Cast, using):
    attempt = step(cast.job())

    for model, table in ((Step, "step"), (Job, "job"), (MigrationRun, "migrationrun")):
        row = model.objects.using(using).filter(pk=attempt.pk)
        expectation = not_permitted() if using == "default" else refused_by(f"{table}_kept", using="owner")
        with expectation:
            row._raw_delete(using)
    assert Step.objects.filter(pk=attempt.pk).exists()


def test_two_rows_cannot_stand_for_the_same_server_database(cast: Cast):
    identity = {"system_identifier": "7300000000000000001", "database_name": "rewards"}
    Database.objects.filter(pk=cast.rewards_prod.pk).update(**identity)

    with refused_by("database_identity_once"):
        Database.objects.create(environment=cast.staging, name="copy", connection="env:X", **identity)
    with refused_by("database_identity_whole_or_absent"):
        Database.objects.create(environment=cast.staging, name="half", connection="env:X", database_name="rewards")


def test_a_connection_is_a_reference_and_never_the_secret(cast: Cast):
    with refused_by("database_connection_is_a_reference"):
        Database.objects.create(environment=cast.staging, name="s", connection="postgresql://u:secret@h/d")


def test_environments_of_an_application_have_their_own_name_and_rank(cast: Cast):
    with refused_by("environment_slug_once_per_application"):
        Environment.objects.create(application=cast.rewards, slug="staging", name="Again", rank=9)
    with refused_by("environment_rank_once_per_application"):
        Environment.objects.create(application=cast.rewards, slug="dev", name="Dev", rank=1)
