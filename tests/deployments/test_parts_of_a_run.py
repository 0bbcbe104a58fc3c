"""What a run, its jobs, their steps and their database owe each other, whoever writes."""

import pytest

from deployments.models import Application, Database, Environment, Job, MigrationRun, Step
from tests.deployments.cast import Cast, begin, step
from tests.deployments.refusals import refused_by


def test_jobs_are_added_while_a_run_is_queued_and_never_else(cast: Cast):
    awaiting, ended = cast.run(), cast.run()
    MigrationRun.objects.filter(pk=ended.pk).update(state="cancelled")

    for run in (awaiting, ended):
        with refused_by("job_of_a_queued_run"):
            Job.objects.create(run=run, database=cast.rewards_prod, writes=True)


def test_a_job_runs_in_a_started_run_only(cast: Cast):
    job = begin(cast.job())
    Job.objects.filter(pk=job.pk).update(state="queued")
    MigrationRun.objects.filter(pk=job.run_id).update(state="running")
    MigrationRun.objects.filter(pk=job.run_id).update(state="needs_attention")

    with refused_by("job_runs_in_a_started_run"):
        begin(job)


def test_a_run_is_over_after_its_jobs(cast: Cast):
    job = cast.job()

    with refused_by("run_ends_after_its_jobs"):
        MigrationRun.objects.filter(pk=job.run_id).update(state="cancelled")
    Job.objects.filter(pk=job.pk).update(state="cancelled")
    assert MigrationRun.objects.filter(pk=job.run_id).update(state="cancelled") == 1


def test_a_step_runs_in_a_running_job_only(cast: Cast):
    attempt = step(cast.job())

    with refused_by("step_runs_in_a_running_job"):
        Step.objects.filter(pk=attempt.pk).update(state="running")
    begin(attempt.job)
    assert Step.objects.filter(pk=attempt.pk).update(state="running") == 1


def test_a_job_that_is_over_gets_no_further_step(cast: Cast):
    job = begin(cast.job())
    Job.objects.filter(pk=job.pk).update(state="failed")

    with refused_by("step_of_an_open_job"):
        step(job)


def test_a_job_is_over_after_its_running_step(cast: Cast):
    job = begin(cast.job())
    attempt = step(job)
    step(job)  # never reached
    Step.objects.filter(pk=attempt.pk).update(state="running")

    with refused_by("job_ends_after_its_steps"):
        Job.objects.filter(pk=job.pk).update(state="succeeded")
    Step.objects.filter(pk=attempt.pk).update(state="failed")
    assert Job.objects.filter(pk=job.pk).update(state="failed") == 1


@pytest.mark.parametrize("change", [{"connection": "env:OTHER"}, {"owner_role": "root"}, {"database_name": "other"}])
def test_a_database_stays_what_it_is_while_a_job_for_it_is_open(cast: Cast, change):
    here = Database.objects.filter(pk=cast.rewards_prod.pk)
    here.update(system_identifier="7300000000000000001", database_name="rewards")
    job = cast.job()

    with refused_by("database_in_use"):
        here.update(**change)
    assert here.update(name="renamed") == 1
    Job.objects.filter(pk=job.pk).update(state="cancelled")
    assert here.update(**change) == 1


def test_a_database_seen_for_the_first_time_may_say_who_it_is(cast: Cast):
    cast.job()

    identity = {"system_identifier": "7300000000000000001", "database_name": "rewards"}
    assert Database.objects.filter(pk=cast.rewards_prod.pk).update(**identity) == 1


def test_nothing_wanders_to_another_environment_or_application(cast: Cast):
    other = Application.objects.create(slug="other", name="Other", layout="sql-pairs", source="folder:other")

    with refused_by("database_frozen"):
        Database.objects.filter(pk=cast.rewards_prod.pk).update(environment=cast.staging)
    with refused_by("environment_frozen"):
        Environment.objects.filter(pk=cast.staging.pk).update(application=other)
