"""A restore as a run: what it would lose is counted first, then the database is exchanged, and the undo is another."""

import os
import uuid
from datetime import timedelta

import pytest
from psycopg.conninfo import make_conninfo

from deployments.digest import digest_of
from deployments.models import HistoryAlarm, Job, KeptDatabase, MigrationRun, Observation, TargetRequest
from deployments.models.run import RunKind
from deployments.pipelines.answering import answer_request
from deployments.pipelines.dropping import drop_when_due
from deployments.postgres.swap.names import SwapNames
from deployments.selectors.restores import closed, source_of
from deployments.selectors.runs import effect_of, reverting
from deployments.services import restore as restoring
from deployments.services.plan_refusals import DraftMoved
from deployments.services.restore import NothingToRestore, PriceMissing, draft_restore, request_price, restore
from deployments.states import JobState, RunState
from tests.engine.backups import asks_for_backup, step_of
from tests.engine.conftest import MIGRATOR, Rewards, actor, configured

RESTORER = "restorer"


@pytest.fixture
def restorable(rewards: Rewards, superuser, monkeypatch):
    """Rewards whose staging is backed up before each change, and whose role may exchange databases."""
    with superuser.transaction():
        superuser.execute("SELECT pg_advisory_xact_lock(1)")
        if not superuser.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [RESTORER]).fetchone():
            superuser.execute(f"CREATE ROLE {RESTORER} LOGIN CREATEDB PASSWORD 'of-tests-only'")
            superuser.execute(f"GRANT pg_signal_backend, {MIGRATOR} TO {RESTORER}")
    monkeypatch.setenv("REWARDS_STAGING", make_conninfo(os.environ["REWARDS_STAGING"], user=RESTORER))
    made = asks_for_backup(rewards)
    yield made
    for kept in KeptDatabase.objects.all():
        superuser.execute(f'DROP DATABASE IF EXISTS "{kept.name}" WITH (FORCE)')


def deployed(rewards: Rewards) -> MigrationRun:
    """Return a run that changed a ledger of a thousand rows and kept a backup of before, and what came after it."""
    rewards.write("001_ledger", "CREATE TABLE ledger (id int); INSERT INTO ledger SELECT generate_series(1, 1000)")
    rewards.deploy()
    rewards.write("002_points", "ALTER TABLE ledger ADD COLUMN points int; DELETE FROM ledger WHERE id > 900")
    job = rewards.deploy()
    assert job.state == JobState.SUCCEEDED
    with rewards.connect() as app:
        app.execute("INSERT INTO ledger (id) VALUES (5001), (5002), (5003)")
    return job.run


def priced(rewards: Rewards, run: MigrationRun) -> dict:
    wish = request_price(run, actor=actor("noor"))
    with configured(rewards.environment):
        answer_request(wish.pk)
    wish = TargetRequest.objects.get(pk=wish.pk)
    assert not wish.error
    return wish.found


def asked(run: MigrationRun, *, stop_writes: bool = False) -> MigrationRun:
    text, _, _ = draft_restore(run, stop_writes=stop_writes)
    return restore(
        run,
        reason="The points are wrong",
        request_key=uuid.uuid4(),
        digest=digest_of(text),
        stop_writes=stop_writes,
        actor=actor("noor"),
    )


def sum_of(rewards: Rewards) -> tuple:
    with rewards.connect() as opened:
        return opened.execute("SELECT count(*), max(id) FROM ledger").fetchone()


def test_deploy_restore_and_undo_with_the_price_told_before_and_counted_after(restorable: Rewards):
    run = deployed(restorable)
    found = priced(restorable, run)
    assert [(one["written"], one["gone"], one["sure"]) for one in found["tables"]] == [(3, 100, "exact")]

    back = asked(run, stop_writes=True)
    assert (back.kind, back.state, back.reverts) == (RunKind.RESTORE, RunState.QUEUED, run)
    job = restorable.execute(back.jobs.get())

    assert (job.state, job.error) == (JobState.SUCCEEDED, "")
    assert sum_of(restorable) == (1000, 1000)
    assert [name for name, _ in restorable.history()] == ["001_ledger"]
    kept = KeptDatabase.objects.get(job=job)
    assert kept.name == SwapNames(f"{restorable.control}_staging", job.pk).kept
    assert step_of(job, "differences").evidence["price"]["tables"] == found["tables"]
    assert step_of(job, "swap").evidence["unreachable_seconds"] < 60
    assert [one["name"] for one in Observation.objects.latest("pk").history] == ["001_ledger"]
    assert reverting(run.reverted_by.all()) == back
    assert effect_of(job) == "databases exchanged"
    with restorable.connect() as app:
        app.execute("INSERT INTO ledger VALUES (7)")  # it writes again

    assert [one["written"] for one in priced(restorable, back)["tables"]] == [1]
    undo = asked(back)
    undone = restorable.execute(undo.jobs.get())

    assert (undone.state, undone.error) == (JobState.SUCCEEDED, "")
    assert sum_of(restorable) == (903, 5003)
    assert [name for name, _ in restorable.history()] == ["001_ledger", "002_points"]
    assert not HistoryAlarm.objects.exists()
    kept.refresh_from_db()
    assert kept.ending == "taken-back"
    assert reverting(run.reverted_by.all()) is None


def test_a_restore_waits_for_its_price_and_for_the_people_of_a_high_risk(restorable: Rewards):
    run = deployed(restorable)

    with pytest.raises(PriceMissing):
        draft_restore(run, stop_writes=False)
    priced(restorable, run)
    text, _, _ = draft_restore(run, stop_writes=False)
    with pytest.raises(DraftMoved):
        restore(
            run, reason="It broke", request_key=uuid.uuid4(), digest="0" * 64, stop_writes=False, actor=actor("noor")
        )

    assert '"class":"high-risk"' in text
    assert not MigrationRun.objects.filter(kind=RunKind.RESTORE).exists()


def test_a_run_without_a_backup_has_nothing_to_restore(rewards: Rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    job = rewards.deploy()

    with pytest.raises(NothingToRestore):
        request_price(job.run, actor=actor("noor"))


def test_killed_after_the_exchange_the_next_executor_writes_it_down_and_the_old_one_goes_in_time(
    restorable: Rewards, monkeypatch
):
    monkeypatch.setattr(restoring, "KEPT", timedelta(0))
    run = deployed(restorable)
    priced(restorable, run)
    job = asked(run).jobs.get()
    restorable.execute(job, LOCKTENDER_CRASH_AT="swap-committed")
    assert sum_of(restorable) == (1000, 1000)
    assert not KeptDatabase.objects.exists()
    Job.objects.filter(pk=job.pk).update(lease_until="2020-01-01T00:00:00Z")

    ended = restorable.execute(job)

    assert (ended.state, ended.error) == (JobState.SUCCEEDED, "")
    kept = KeptDatabase.objects.get()
    assert kept.job == job
    assert sum_of(restorable) == (1000, 1000)
    assert drop_when_due(kept.pk)
    assert not drop_when_due(kept.pk)
    with restorable.connect() as opened:
        assert not opened.execute("SELECT FROM pg_database WHERE oid = %s", [kept.oid]).fetchall()
    kept.refresh_from_db()
    assert kept.ending == "dropped"
    assert closed(job.run, source_of(job.run)).endswith("is not kept any more.")


def test_a_damaged_backup_changes_nothing_and_lets_the_application_write(restorable: Rewards):
    run = deployed(restorable)
    priced(restorable, run)
    back = asked(run, stop_writes=True)
    place = run.jobs.get().backups.get().place
    damaged = next((restorable.source.parent / "artifacts" / place / "dump").rglob("*"))
    damaged.write_bytes(b"nothing")

    job = restorable.execute(back.jobs.get())

    assert (job.state, job.error_code) == (JobState.FAILED, "backup-unreadable")
    with restorable.connect() as app:
        app.execute("INSERT INTO ledger (id) VALUES (7)")
    assert sum_of(restorable) == (904, 5003)
    assert not KeptDatabase.objects.exists()


def test_an_exchange_that_is_blocked_leaves_the_application_writing_and_nothing_half_made(restorable: Rewards):
    run = deployed(restorable)
    priced(restorable, run)
    back = asked(run, stop_writes=True)
    with restorable.connect() as app:
        app.execute("BEGIN; INSERT INTO ledger (id) VALUES (6001)")
        app.execute("PREPARE TRANSACTION 'of the shop'")

    job = restorable.execute(back.jobs.get())

    assert (job.state, job.error_code) == (JobState.FAILED, "swap-blocked")
    with restorable.connect() as app:
        app.execute("COMMIT PREPARED 'of the shop'")
        app.execute("INSERT INTO ledger (id) VALUES (7)")
        left = app.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{restorable.control}_staging_%"])
        assert left.fetchall() == []
    assert sum_of(restorable) == (905, 6001)
    assert effect_of(job) == "nothing exchanged"
