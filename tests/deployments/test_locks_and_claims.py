"""One order of locks, and claims that never wait long for one another."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction

from deployments.actors import EXECUTOR, person
from deployments.models import Job, MigrationRun
from deployments.services import lane
from deployments.services.transition import (
    DatabaseBusy,
    IllegalTransition,
    Stale,
    claim_job,
    lock_databases,
    locked_run,
    locked_runs,
    move_job,
    move_run,
)
from deployments.states import JobState, RunState
from tests.deployments.cast import Cast

LEASE = timedelta(seconds=30)


def claim(job: Job) -> Job | None:
    return claim_job(job.pk, executor="host/1", lease=LEASE, actor=EXECUTOR)


def aside(action) -> threading.Thread:
    """Start what another session does at the same time, and give it time to come to where it waits."""

    def act() -> None:
        action()
        connection.close()

    thread = threading.Thread(target=act)
    thread.start()
    thread.join(timeout=0.7)
    return thread


def is_locked(superuser_here, table: str, row_id: int) -> bool:
    query = f"SELECT 1 FROM deployments_{table} WHERE id = %s FOR NO KEY UPDATE SKIP LOCKED"
    return superuser_here.execute(query, [row_id]).fetchone() is None


def test_a_locked_run_is_locked(cast: Cast, superuser_here):
    run = cast.run()

    with transaction.atomic():
        assert locked_run(run.pk) == run
        assert is_locked(superuser_here, "migrationrun", run.pk)
    with pytest.raises(MigrationRun.DoesNotExist), transaction.atomic():
        locked_run(0)


def test_runs_are_locked_in_one_order(cast: Cast, superuser_here):
    first, second = cast.run(), cast.run()

    def lock_both() -> None:
        with transaction.atomic():
            assert set(locked_runs([second.pk, first.pk])) == {first.pk, second.pk}

    with transaction.atomic():
        locked_run(first.pk)
        other = aside(lock_both)
        assert not is_locked(superuser_here, "migrationrun", second.pk)
    other.join()


def test_two_transactions_that_move_the_same_runs_do_not_wait_for_each_other(cast: Cast):
    first, second = cast.run(), cast.run()
    told = []

    def move_the_second() -> None:
        try:
            move_run(second, RunState.CANCELLED, actor=person(cast.dana))
        except Stale as stale:
            told.append(stale.code)

    with transaction.atomic():
        held = locked_runs([first.pk, second.pk])
        move_run(held[first.pk], RunState.CANCELLED, actor=person(cast.dana))
        other = aside(move_the_second)
        move_run(held[second.pk], RunState.REJECTED, actor=person(cast.lee))
    other.join()

    assert told == ["stale"]
    assert [run.state for run in MigrationRun.objects.order_by("pk")] == ["cancelled", "rejected"]


def test_locked_databases_are_locked(cast: Cast, superuser_here):
    with transaction.atomic():
        lock_databases([cast.rewards_prod.pk])
        assert is_locked(superuser_here, "database", cast.rewards_prod.pk)


def test_a_claim_does_not_wait_for_one_that_is_not_committed(cast: Cast):
    first, second = cast.job(), cast.job()
    told = []

    def claim_the_second() -> None:
        began = time.monotonic()
        try:
            claim(second)
        except (DatabaseBusy, OperationalError) as refusal:
            told.append((type(refusal), time.monotonic() - began < 5))

    with transaction.atomic():
        claim(first)
        other = aside(claim_the_second)
        other.join()

    assert told == [(DatabaseBusy, True)]
    assert Job.objects.get(pk=second.pk).state == "queued"


def test_a_claim_leaves_the_usual_wait_for_locks_as_it_was(cast: Cast):
    with transaction.atomic(), connection.cursor() as cursor:
        claim(cast.job())
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("10s",)


def test_a_job_begins_to_run_by_a_claim_alone(cast: Cast):
    job = cast.job()

    with pytest.raises(IllegalTransition, match="cannot go from queued to running"):
        move_job(job, JobState.RUNNING, actor=EXECUTOR)
    assert Job.objects.get(pk=job.pk).state == "queued"


@pytest.mark.parametrize("to", [RunState.RUNNING, RunState.CANCELLED, RunState.SUPERSEDED])
def test_a_run_past_its_decision_follows_its_jobs_alone(cast: Cast, to):
    run = cast.job().run

    with pytest.raises(IllegalTransition, match=f"cannot go from queued to {to}"):
        move_run(run, to, actor=EXECUTOR)
    assert MigrationRun.objects.get().state == "queued"


def test_a_page_sees_that_a_job_moved_though_its_run_did_not(cast: Cast):
    job = claim(cast.job())
    before = MigrationRun.objects.get().revision
    Job.objects.filter(pk=job.pk).update(lease_until="2001-01-01T00:00Z")

    again = claim_job(job.pk, executor="host/2", lease=timedelta(milliseconds=1), actor=EXECUTOR)

    assert again.run.state == "running"
    assert again.run.revision > before


def test_only_the_rehearsals_that_were_locked_give_way_and_none_that_is_over(cast: Cast, monkeypatch):
    back, under_way = cast.run(kind="rollback", reverts=cast.run()), rehearsal(cast)
    over = cast.run(kind="rehearsal")
    MigrationRun.objects.filter(pk=over.pk).update(state=RunState.QUEUED)

    def lock(run_ids) -> dict[int, MigrationRun]:
        MigrationRun.objects.filter(pk=over.pk).update(state=RunState.CANCELLED)
        held = locked_runs(run_ids)
        rehearsal(cast)  # begun after the lock was taken
        return held

    monkeypatch.setattr(lane, "locked_runs", lock)
    with transaction.atomic():
        assert lane.locked_with_reverted(back) == (back, [under_way])


def rehearsal(cast: Cast) -> MigrationRun:
    """Return one that is queued."""
    return cast.job(cast.run(kind="rehearsal"), writes=False).run
