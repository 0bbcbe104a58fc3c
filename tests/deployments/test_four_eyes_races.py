"""Four eyes when two sessions act at once, at other isolation levels, and against names that are not what they seem."""

import threading

import psycopg
import pytest
from django.db import connection, transaction

from deployments.models import Application, Approval, Grant, MigrationRun, RunAuthor, User
from tests.deployments.cast import Cast
from tests.deployments.refusals import refused_by
from tests.deployments.test_four_eyes import approve


def attempt(action, failures: list[str]) -> threading.Thread:
    """Start what another session does at the same time; note the constraint that refuses it."""

    def act() -> None:
        try:
            with transaction.atomic():
                action()
        except Exception as refusal:  # noqa: BLE001 # the test looks at it
            failures.append(getattr(refusal.__cause__.diag, "constraint_name", str(refusal)))
        connection.close()

    thread = threading.Thread(target=act)
    thread.start()
    thread.join(timeout=1.0)  # it waits by then, or it went through
    return thread


def test_an_approval_waits_for_an_author_that_is_being_added(cast: Cast):
    run, failures = cast.run(), []

    with transaction.atomic():
        RunAuthor.objects.create(run=run, user=cast.lee)
        other = attempt(lambda: approve(run, cast.lee), failures)
    other.join()

    assert failures == ["approval_not_by_an_author"]


def test_an_author_waits_for_an_approval_that_is_being_given(cast: Cast):
    run, failures = cast.run(), []

    with transaction.atomic():
        approve(run, cast.lee)
        other = attempt(lambda: RunAuthor.objects.create(run=run, user=cast.lee), failures)
    other.join()

    assert failures == ["author_before_approval"]


def test_an_approval_waits_for_a_role_that_is_being_taken_away(cast: Cast):
    run, failures = cast.run(), []

    with transaction.atomic():
        Grant.objects.filter(user=cast.lee).delete()
        other = attempt(lambda: approve(run, cast.lee), failures)
    other.join()

    assert failures == ["approval_by_a_holder_of_the_role"]


def test_an_approval_waits_for_an_account_that_is_being_closed(cast: Cast):
    run, failures = cast.run(), []

    with transaction.atomic():
        User.objects.filter(pk=cast.lee.pk).update(is_active=False)
        other = attempt(lambda: approve(run, cast.lee), failures)
    other.join()

    assert failures == ["approval_by_an_open_account"]


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_no_isolation_level_looks_past_an_author_nor_an_approver(cast: Cast, level):
    run = cast.run()

    for action in (lambda: approve(run, cast.lee), lambda: RunAuthor.objects.create(run=run, user=cast.lee)):
        with refused_by("four_eyes_read_committed"):
            connection.cursor().execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
            action()
    assert not run.approvals.exists()
    assert not run.authors.exists()


def test_the_role_held_for_another_application_does_not_count(cast: Cast):
    other = Application.objects.create(slug="other", name="Other", layout="sql-pairs", source="folder:other")
    Grant.objects.create(user=cast.charlie, role="dba", application=other)

    with refused_by("approval_by_a_holder_of_the_role"):
        approve(cast.run(), cast.charlie)


def test_a_closed_account_decides_nothing(cast: Cast):
    User.objects.filter(pk=cast.lee.pk).update(is_active=False)

    with refused_by("approval_by_an_open_account"):
        approve(cast.run(), cast.lee)


@pytest.mark.parametrize("table", ["deployments_grant", "deployments_runauthor", "deployments_user"])
def test_a_temporary_table_does_not_stand_in_for_the_real_one(cast: Cast, table):
    run, approver = cast.run(), cast.charlie
    if table == "deployments_runauthor":
        RunAuthor.objects.create(run=run, user=cast.lee)
        approver = cast.lee
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE forged AS SELECT * FROM {table} WHERE false")
        if table == "deployments_grant":
            cursor.execute("INSERT INTO forged (user_id, role) VALUES (%s, 'dba')", [cast.charlie.pk])
        cursor.execute(f"ALTER TABLE forged RENAME TO {table}")

    with pytest.raises(Exception, match=r"wrote part of|does not hold"), transaction.atomic():
        approve(run, approver)
    assert not Approval.objects.exists()


@pytest.mark.parametrize("forged", ["requester", "digest"])
def test_even_a_superuser_in_replica_mode_forges_no_approval(cast: Cast, superuser_here, forged):
    run, other = cast.run(requested_by=cast.lee), cast.run()
    values = {"requester": cast.lee.pk, "digest": run.digest, "approver": cast.mika.pk, "role": "architect"}
    values[forged] = {"requester": cast.dana.pk, "digest": other.digest}[forged]
    superuser_here.execute("SET session_replication_role = replica")

    with pytest.raises(psycopg.errors.CheckViolation, match="was requested by another, or has another content"):
        superuser_here.execute(
            "INSERT INTO deployments_approval (run_id, requester_id, digest, approver_id, role, verdict, comment) "
            "VALUES (%(run)s, %(requester)s, %(digest)s, %(approver)s, %(role)s, 'approved', '')",
            values | {"run": run.pk},
        )


def test_runs_asked_for_at_once_are_numbered_one_after_the_other(cast: Cast):
    failures = []

    with transaction.atomic():
        cast.run()
        other = attempt(cast.run, failures)
    other.join()

    assert failures == []
    assert sorted(MigrationRun.objects.values_list("number", flat=True)) == [1, 2]
