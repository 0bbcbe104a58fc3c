"""Who may do what, and that every refusal says why."""

import pytest
from django.db.models.functions import Now

from deployments.authority import ROLES, Action, eligible, may, roles
from deployments.models import Application, Environment, Grant, MigrationRun, RunAuthor
from deployments.models.grant import Role
from tests.deployments.cast import Cast

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
    MigrationRun.objects.filter(pk=run.pk).update(state="cancelled", finished_at=Now())
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


def test_a_job_and_a_step_belong_where_their_run_does(cast: Cast):
    Grant.objects.create(user=cast.charlie, role="viewer", application=cast.rewards, environment=cast.production)

    assert may(cast.charlie, Action.VIEW, cast.job())
    assert may(cast.charlie, Action.VIEW, cast.rewards_prod)
