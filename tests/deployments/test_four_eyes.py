"""Nobody approves a run they requested or wrote. The database holds this, also against plain SQL."""

import pytest
from django.db import connection, connections

from deployments.models import Approval, Grant, MigrationRun, RunAuthor
from tests.deployments.cast import Cast
from tests.deployments.refusals import not_permitted, refused_by


def approve(run, approver, **fields):
    return Approval.objects.create(
        **{
            "run": run,
            "requester": run.requested_by,
            "digest": run.digest,
            "approver": approver,
            "role": "dba",
            "verdict": "approved",
        }
        | fields
    )


def test_another_person_approves(cast: Cast):
    run = cast.run(requested_by=cast.dana)

    approve(run, cast.lee)

    assert run.approvals.get().approver == cast.lee


def test_the_requester_cannot_approve_whatever_hats_they_wear(cast: Cast):
    run = cast.run(requested_by=cast.lee)

    with refused_by("approval_not_by_the_requester"):
        approve(run, cast.lee)
    assert not run.approvals.exists()


def test_a_forged_requester_does_not_fit(cast: Cast):
    run = cast.run(requested_by=cast.lee)

    with refused_by("approval_of_this_request_and_content"):
        approve(run, cast.lee, requester=cast.dana)


def test_an_approval_of_other_content_does_not_fit(cast: Cast):
    run, other = cast.run(), cast.run()

    with refused_by("approval_of_this_request_and_content"):
        approve(run, cast.lee, digest=other.digest)


def test_plain_sql_is_refused_like_the_model(cast: Cast):
    run = cast.run(requested_by=cast.lee)
    insert = (
        "INSERT INTO deployments_approval (run_id, requester_id, digest, approver_id, role, verdict, comment) "
        "VALUES (%s, %s, %s, %s, 'dba', 'approved', '')"
    )

    Grant.objects.create(user=cast.dana, role="dba")
    for requester, constraint in (
        (cast.lee.pk, "approval_not_by_the_requester"),
        (cast.dana.pk, "approval_of_this_request_and_content"),
    ):
        with refused_by(constraint):
            connection.cursor().execute(insert, [run.pk, requester, run.digest, cast.lee.pk])


def test_the_plan_cannot_be_exchanged_under_an_approval(cast: Cast):
    run = cast.run()
    approve(run, cast.lee)

    with refused_by("migrationrun_frozen"):
        MigrationRun.objects.filter(pk=run.pk).update(requested_by=cast.mika)


def test_an_author_cannot_approve(cast: Cast):
    run = cast.run()
    RunAuthor.objects.create(run=run, user=cast.lee)

    with refused_by("approval_not_by_an_author"):
        approve(run, cast.lee)


def test_an_approver_cannot_become_an_author(cast: Cast):
    run = cast.run()
    approve(run, cast.lee)

    with refused_by("author_before_approval"):
        RunAuthor.objects.create(run=run, user=cast.lee)


def test_a_person_decides_once(cast: Cast):
    run = cast.run()
    approve(run, cast.lee)

    with refused_by("approval_once_per_person"):
        approve(run, cast.lee, verdict="rejected")


@pytest.mark.parametrize("state", ["queued", "cancelled"])
def test_a_run_that_no_longer_waits_takes_no_approval(cast: Cast, state):
    run = cast.run()
    MigrationRun.objects.filter(pk=run.pk).update(state=state)

    with refused_by("approval_while_awaiting"):
        approve(run, cast.lee)


def test_a_role_that_is_not_held_there_cannot_be_worn(cast: Cast):
    Grant.objects.create(user=cast.charlie, role="dba", application=cast.rewards, environment=cast.staging)

    with refused_by("approval_by_a_holder_of_the_role"):
        approve(cast.run(), cast.lee, role="architect")
    with refused_by("approval_by_a_holder_of_the_role"):
        approve(cast.run(), cast.charlie)
    assert approve(cast.run(environment=cast.staging), cast.charlie).role == "dba"


@pytest.mark.parametrize("role", ["developer", "administrator", "auditor", "on-call", "viewer"])
def test_only_the_hats_that_decide_count(cast: Cast, role):
    Grant.objects.get_or_create(user=cast.lee, role=role)

    with refused_by("approval_role_may_approve"):
        approve(cast.run(), cast.lee, role=role)


def test_an_approval_is_never_changed_nor_taken_back(cast: Cast):
    approval = approve(cast.run(), cast.lee)

    with not_permitted():
        Approval.objects.filter(pk=approval.pk).update(verdict="rejected")
    with not_permitted():
        Approval.objects.filter(pk=approval.pk)._raw_delete("default")
    with refused_by("approval_append_only", using="owner"):
        Approval.objects.using("owner").filter(pk=approval.pk).update(verdict="rejected")
    with refused_by("approval_append_only", using="owner"):
        connections["owner"].cursor().execute("TRUNCATE deployments_approval")
    approval.refresh_from_db()
    assert approval.verdict == "approved"
