"""Rehearsals by the clock: played again before a window, and cleared up after executors that died."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from psycopg.conninfo import make_conninfo

from checks.policy import Requirements
from checks.policy.windows import DAYS, next_opening
from checks.rehearsal.proof import Outcome, Proof
from deployments.actors import DISPATCHER
from deployments.dispatch import DROP_COPIES, PERIODIC, Dispatcher
from deployments.models import AuditEvent, ControlPlane, Job, MigrationRun, Policy, Rehearsal
from deployments.models.run import RunKind
from deployments.pipelines.clearing import drop_left
from deployments.selectors.rehearsals import scripts_of
from deployments.services import rehearse as rehearsing
from deployments.services.decide import request_cancel
from deployments.services.rehearse import REPEAT_REHEARSALS, repeat_rehearsals, request_rehearsal
from deployments.states import JobState, RunState
from tests.engine.backups import asks_for_verified_backup, scratch_databases
from tests.engine.conftest import Rewards, actor
from tests.servers import SUPERUSER_URL


@pytest.fixture
def named(rewards: Rewards) -> Rewards:
    """Staging with a rehearsal server, and a change that needs a window."""
    asks_for_verified_backup(rewards)
    with rewards.connect() as opened:
        opened.execute("CREATE TABLE people (id int PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Ada')")
    forward, back = ("ALTER TABLE people ALTER name SET NOT NULL", "ALTER TABLE people ALTER name DROP NOT NULL")
    rewards.write("0001_named", forward, back)
    rewards.sync()
    return rewards


@pytest.fixture
def waiting(named: Rewards) -> MigrationRun:
    """A run that waits for a window which ends 25 hours after now: a proof of now ends an hour before."""
    return waits_for(named, opens_at(hours=23))


def opens_at(*, hours: int) -> datetime:
    """Return the minute so many hours from now. What is proven has the time of the database."""
    return (datetime.now(UTC) + timedelta(hours=hours)).replace(second=0, microsecond=0)


def waits_for(rewards: Rewards, opens: datetime) -> MigrationRun:
    """Return a run that waits for two hours of every day."""
    window = {"begin": f"{opens:%H:%M}", "end": f"{opens + timedelta(hours=2):%H:%M}", "timezone": "UTC"}
    rules = {"rehearsal_hours": 24, "windows": [{"days": list(DAYS), **window}]}
    Policy.objects.create(environment=rewards.staging.environment, version=3, rules=rules, reason="For a test")
    return rewards.plan()


def proven(run: MigrationRun) -> datetime:
    """Write down that a rehearsal of this run ended now, and return when its window opens."""
    job = request_rehearsal(run, request_key=uuid.uuid4(), actor=actor("dana")).jobs.get()
    request_cancel(job.run, actor=actor("dana"))
    proof = Proof(Outcome.RESTORES, scripts_of(run.plan), datetime.now(UTC), 180000, 10**7, 1.0)
    Rehearsal.objects.create(job=job, scripts=proof.scripts, outcome=str(proof.outcome), proof=proof.as_evidence())
    (window,) = Requirements.of_plan(run.plan["requirements"]).windows
    opens = next_opening([window], datetime.now(UTC) + timedelta(hours=12))
    assert opens is not None
    return opens


def asked_at(monkeypatch, now: datetime) -> list[MigrationRun]:
    monkeypatch.setattr(rehearsing, "database_now", lambda: now)
    return repeat_rehearsals(actor=DISPATCHER)


def test_a_proof_that_ends_before_the_window_does_is_renewed_once_two_hours_before(waiting, monkeypatch):
    opens = proven(waiting)
    before = MigrationRun.objects.count()
    assert asked_at(monkeypatch, opens - timedelta(hours=2, minutes=1)) == []

    (again,) = asked_at(monkeypatch, opens - timedelta(hours=1, minutes=59))

    assert (again.kind, again.state, again.plan["rehearses"]) == (RunKind.REHEARSAL, RunState.QUEUED, waiting.number)
    assert again.requested_by == waiting.requested_by
    assert again.reason == f"Rehearsal of run {waiting} again, because its window opens at {opens:%Y-%m-%d %H:%M} UTC"
    assert AuditEvent.objects.filter(action="run.requested").latest("seq").actor_name == "dispatcher"
    assert asked_at(monkeypatch, opens - timedelta(hours=1)) == []  # it is open
    request_cancel(again, actor=actor("dana"))
    assert asked_at(monkeypatch, opens - timedelta(minutes=5)) == []  # it was asked for this window already
    assert asked_at(monkeypatch, opens + timedelta(hours=1)) == []
    assert MigrationRun.objects.count() == before + 1
    (tomorrow,) = asked_at(monkeypatch, opens + timedelta(hours=23))
    assert tomorrow != again


def test_what_needs_no_renewal_is_left_alone(named, monkeypatch):
    run = waits_for(named, opens_at(hours=21))
    assert asked_at(monkeypatch, opens_at(hours=20)) == []  # it was never rehearsed: nobody asked for that
    opens = proven(run)
    assert asked_at(monkeypatch, opens - timedelta(hours=1)) == []  # it lasts until the window closes
    request_cancel(run, actor=actor("dana"))

    assert asked_at(monkeypatch, opens + timedelta(hours=23)) == []
    assert not MigrationRun.objects.filter(kind=RunKind.REHEARSAL, state=RunState.QUEUED).exists()


def test_the_dispatchers_clock_does_both(waiting, monkeypatch):
    opens = proven(waiting)
    monkeypatch.setattr(rehearsing, "database_now", lambda: opens - timedelta(hours=1))
    cleared: list[int] = []
    monkeypatch.setattr(Dispatcher, "clear", lambda _self, database: cleared.append(database))

    for task in PERIODIC:
        if task.name in {REPEAT_REHEARSALS, DROP_COPIES}:
            task.do(Dispatcher())

    assert MigrationRun.objects.get(kind=RunKind.REHEARSAL, state=RunState.QUEUED).plan["rehearses"] == waiting.number
    assert cleared == [waiting.environment.databases.get().pk]


def test_only_copies_of_dead_executors_of_this_control_plane_are_dropped(waiting, monkeypatch, superuser):
    job = request_rehearsal(waiting, request_key=uuid.uuid4(), actor=actor("dana")).jobs.get()
    Job.objects.filter(pk=job.pk).update(
        state=JobState.RUNNING, fence=7, lease_until=opens_at(hours=1), executor="a test"
    )
    plane = ControlPlane.objects.get().pk.hex[:8]
    stay = [f"lkt_{plane}_rehearse_{job.pk}_7", f"lkt_{plane}_rehearse_{job.pk}_7_1", f"lkt_{plane}_restore_{job.pk}_6"]
    foreign = f"lkt_00000000_rehearse_{job.pk}_6"
    go = [f"lkt_{plane}_rehearse_{job.pk}_6_2", f"lkt_{plane}_verify_{job.pk}_6"]
    try:
        for name in (*stay, foreign, *go):
            superuser.execute(f'CREATE DATABASE "{name}"')

        dropped = drop_left(waiting.environment.databases.get().pk)

        assert sorted(dropped) == sorted(go)
        assert sorted(scratch_databases()) == sorted(stay)
        assert superuser.execute("SELECT count(*) FROM pg_database WHERE datname = %s", [foreign]).fetchone() == (1,)
    finally:
        for name in (*stay, foreign, *go):
            superuser.execute(f'DROP DATABASE IF EXISTS "{name}"')


def test_a_server_that_is_away_is_no_failure(waiting, monkeypatch):
    monkeypatch.setenv(SUPERUSER_URL, make_conninfo("", host="127.0.0.1", port=9, dbname="postgres"))

    assert drop_left(waiting.environment.databases.get().pk) == []


def test_a_rehearsal_masks_first_and_an_unmasked_clone_is_dropped(waiting, rewards: Rewards):
    (rewards.source / "masking.sql").write_text("UPDATE people SET name = 'somebody'")
    (rewards.source / "queries.sql").write_text("-- everybody\nSELECT name FROM people;\nDELETE FROM people")
    rewards.sync()

    job = rewards.execute(request_rehearsal(waiting, request_key=uuid.uuid4(), actor=actor("dana")).jobs.get())

    assert (job.state, job.error) == (JobState.SUCCEEDED, "")
    proof = Proof.of_evidence(Rehearsal.objects.get(job=job).proof)
    assert "1 statement, 1 rows" in proof.masked
    assert proof.queries == 1
    assert proof.unplanned[0] == "queries.sql, line 3: DELETE does more than read, so it is not planned"
    with rewards.connect() as opened:
        assert opened.execute("SELECT name FROM people").fetchone() == ("Ada",)

    (rewards.source / "masking.sql").write_text("UPDATE people SET name = missing")
    rewards.sync()
    refused = rewards.execute(request_rehearsal(waiting, request_key=uuid.uuid4(), actor=actor("dana")).jobs.get())

    assert (refused.state, refused.error_code) == (JobState.FAILED, "masking-failed")
    assert not Rehearsal.objects.filter(job=refused).exists()
    assert scratch_databases() == []
