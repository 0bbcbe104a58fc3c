"""Who may do what, and that every refusal says why."""

from datetime import timedelta

import pytest
from django.db.models import Model

from deployments.actors import EXECUTOR
from deployments.authority import ROLES, Action, eligible, may, roles, seen_environments
from deployments.models import (
    Application,
    Approval,
    Contact,
    Environment,
    Grant,
    Job,
    Migration,
    MigrationRun,
    Observation,
    Release,
    RunAuthor,
    Script,
    StepLog,
    User,
)
from deployments.models.grant import Role
from deployments.services.transition import claim_job, move_job
from deployments.states import JobState
from tests.deployments.cast import Cast, step

BOUND_TO_A_RUN = {Action.DECIDE, Action.CANCEL, Action.ROLL_BACK, Action.RESOLVE}


@pytest.mark.parametrize("action", sorted(set(Action) - BOUND_TO_A_RUN))
@pytest.mark.parametrize("role", Role.values)
def test_each_role_may_exactly_what_the_table_says(cast: Cast, role, action):
    Grant.objects.create(user=cast.charlie, role=role)

    decision = may(cast.charlie, action, cast.production)

    assert decision.allowed is (role in ROLES[action])
    assert decision.reason


def test_without_a_grant_nothing_is_allowed_and_the_reason_names_the_roles(cast: Cast):
    for action in Action:
        assert not may(cast.charlie, action, cast.production)
    assert may(cast.charlie, Action.DECIDE, cast.production).reason == (
        "You may not approve or reject this run: that takes the role Architect or DBA for rewards/production."
    )


def test_a_superuser_of_django_may_nothing(cast: Cast):
    cast.charlie.is_superuser = cast.charlie.is_staff = True
    cast.charlie.save()

    assert not any(may(cast.charlie, action, cast.rewards) for action in Action)


def test_the_administrator_by_itself_approves_nothing(cast: Cast):
    assert not may(cast.sam, Action.DECIDE, cast.run())
    assert not may(cast.sam, Action.ROLL_BACK, cast.run())


def test_a_closed_account_may_nothing(cast: Cast):
    cast.lee.is_active = False

    assert may(cast.lee, Action.VIEW, cast.rewards).reason == (
        "This account is closed. Ask an administrator to open it."
    )


def test_nobody_decides_about_a_run_they_requested(cast: Cast):
    run = cast.run(requested_by=cast.lee)

    assert may(cast.lee, Action.DECIDE, run).reason == "You requested run #1. Somebody else decides about it."
    assert may(cast.mika, Action.DECIDE, run)


def test_nobody_decides_about_what_they_wrote(cast: Cast):
    run = cast.run()
    RunAuthor.objects.create(run=run, user=cast.lee)

    assert may(cast.lee, Action.DECIDE, run).reason == (
        "You wrote part of what run #1 would execute. Somebody else decides about it."
    )


def test_those_who_could_decide_are_named(cast: Cast):
    run = cast.run(requested_by=cast.lee)

    assert eligible(Action.DECIDE, run) == [cast.mika]


def test_a_decided_run_is_closed_to_decisions(cast: Cast):
    run = cast.run()
    MigrationRun.objects.filter(pk=run.pk).update(state="cancelled")
    run.refresh_from_db()

    assert may(cast.lee, Action.DECIDE, run).reason == "Run #1 is cancelled: there is nothing left to decide."
    assert may(cast.noor, Action.CANCEL, run).reason == "Run #1 is cancelled: it is over."
    assert may(cast.noor, Action.RESOLVE, cast.run()).reason == "Run #2 is awaiting: it goes on by itself."


def test_a_grant_reaches_its_environment_and_no_other(cast: Cast):
    Grant.objects.create(user=cast.charlie, role="dba", application=cast.rewards, environment=cast.staging)

    assert may(cast.charlie, Action.DECIDE, cast.run(environment=cast.staging))
    assert not may(cast.charlie, Action.DECIDE, cast.run())
    assert not may(cast.charlie, Action.VIEW, cast.rewards)
    assert roles(cast.charlie, cast.staging) == [Role.DBA]


def test_a_grant_reaches_its_application_and_no_other(cast: Cast):
    other = Application.objects.create(slug="other", name="Other", layout="sql-pairs", source="folder:other")
    elsewhere = Environment.objects.create(application=other, slug="production", name="Production", rank=1)
    Grant.objects.create(user=cast.charlie, role="viewer", application=cast.rewards)

    assert may(cast.charlie, Action.VIEW, cast.production)
    assert not may(cast.charlie, Action.VIEW, other)
    assert not may(cast.charlie, Action.VIEW, elsewhere)
    assert not may(cast.charlie, Action.VIEW)


def parts(job: Job) -> list[Model]:
    """Return the run, and everything that is part of it."""
    attempt = step(job)
    return [job.run, job, attempt, StepLog(step=attempt), Approval(run=job.run), RunAuthor(run=job.run)]


def test_everything_of_an_environment_belongs_there(cast: Cast):
    place = {"application": cast.rewards, "environment": cast.production}
    Grant.objects.create(user=cast.charlie, role="viewer", **place)
    policy = cast.production.policies.get()

    for subject in (
        *parts(cast.job()),
        cast.rewards_prod,
        policy,
        Observation(database=cast.rewards_prod),
        Contact(**place),
        Grant(**place),
    ):
        assert may(cast.charlie, Action.VIEW, subject), subject
        assert not may(cast.sam, Action.READ_AUDIT, subject), subject


def test_everything_of_an_application_belongs_there(cast: Cast):
    Grant.objects.create(user=cast.charlie, role="viewer", application=cast.rewards)

    for kind in (Release, Migration, Contact):
        assert may(cast.charlie, Action.VIEW, kind(application=cast.rewards))


def test_what_has_no_place_is_a_mistake_of_the_caller(cast: Cast):
    with pytest.raises(TypeError, match="authority knows no place for Script"):
        may(cast.dana, Action.VIEW, Script())


def test_what_is_closed_about_a_run_is_closed_about_its_parts(cast: Cast):
    job = cast.job(cast.run(requested_by=cast.lee))

    for part in parts(job):
        assert may(cast.lee, Action.DECIDE, part).reason == "Run #1 is queued: there is nothing left to decide."
        assert not may(cast.noor, Action.RESOLVE, part)


def test_who_decided_decides_no_more(cast: Cast):
    run = cast.run()
    Approval.objects.create(
        run=run, requester=cast.dana, digest=run.digest, approver=cast.lee, role="dba", verdict="approved"
    )

    assert may(cast.lee, Action.DECIDE, run).reason == "You have decided about run #1 already."
    assert eligible(Action.DECIDE, run) == [cast.mika]


def test_what_executed_nothing_is_not_rolled_back(cast: Cast):
    awaiting, job = cast.run(), cast.job()
    nothing = "Run #{} has executed nothing: there is nothing to roll back."

    assert may(cast.noor, Action.ROLL_BACK, awaiting).reason == nothing.format(1)
    assert may(cast.noor, Action.ROLL_BACK, job).reason == "Run #2 is queued and may still go on. Cancel it first."
    move_job(job, JobState.CANCELLED, actor=EXECUTOR)
    assert may(cast.noor, Action.ROLL_BACK, MigrationRun.objects.get(pk=job.run_id)).reason == nothing.format(2)


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.NEEDS_ATTENTION])
def test_what_ran_may_be_rolled_back(cast: Cast, state):
    job = claim_job(cast.job().pk, executor="host/1", lease=timedelta(seconds=30), actor=EXECUTOR)
    assert may(cast.noor, Action.ROLL_BACK, job)

    move_job(job, state, actor=EXECUTOR)

    assert may(cast.noor, Action.ROLL_BACK, MigrationRun.objects.get())


def test_what_was_superseded_is_not_rolled_back(cast: Cast):
    job = claim_job(cast.job().pk, executor="host/1", lease=timedelta(seconds=30), actor=EXECUTOR)
    move_job(job, JobState.CANCELLED, actor=EXECUTOR, plan_moved=True)

    assert not may(cast.noor, Action.ROLL_BACK, MigrationRun.objects.get())


def test_the_environments_a_person_may_see_are_those_of_which_may_says_so(cast):
    Grant.objects.create(user=cast.charlie, role=Role.VIEWER, application=cast.rewards, environment=cast.staging)
    other = Application.objects.create(slug="other", name="Other", layout="sql-pairs", source="folder:other")
    elsewhere = Environment.objects.create(application=other, slug="staging", name="Staging", rank=1)
    outsider = User.objects.create_user("outsider")
    Grant.objects.create(user=outsider, role=Role.AUDITOR, application=other)
    closed = User.objects.create_user("closed", is_active=False)
    Grant.objects.create(user=closed, role=Role.DBA)

    for person in User.objects.all():
        seen = {one for one in Environment.objects.all() if may(person, Action.VIEW, one)}
        assert set(seen_environments(person)) == seen
    assert set(seen_environments(cast.charlie)) == {cast.staging}
    assert set(seen_environments(outsider)) == {elsewhere}
    assert not seen_environments(closed).exists()
