"""Ending one session that stands in the way of a migration: by a person with that right, and nobody else's."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from django.utils import timezone

from deployments.authority import NotAllowed
from deployments.models import AuditEvent, Job, SessionEnd
from deployments.models.session_end import SessionOutcome
from deployments.postgres.guard import Outcome
from deployments.selectors.blockers import BECAME, PERHAPS_ENDED, _became
from deployments.services.end_session import (
    EndAskedAlready,
    EndReasonMissing,
    SessionNotEnded,
    SessionNotInTheWay,
    in_the_way,
    request_end,
)
from deployments.states import JobState
from tests.engine.conftest import Rewards, actor
from tests.engine.meanwhile import executing, now
from tests.engine.processes import eventually
from tests.servers import SUPERUSER_URL


@pytest.fixture
def ledger(rewards) -> Rewards:
    """Staging with a table, and a file that needs it for itself."""
    with rewards.connect() as opened:
        opened.execute("CREATE TABLE ledger (id int)")
    rewards.write("001_points", "ALTER TABLE ledger ADD points int")
    rewards.sync()
    return rewards


@contextmanager
def reading(opened: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """Stand in the way with a transaction that has read."""
    opened.execute("BEGIN")
    opened.execute("SELECT count(*) FROM ledger WHERE id = 4711")
    try:
        yield opened
    finally:
        opened.close()


def shown(job: Job) -> dict:
    eventually(lambda: list(in_the_way(job.run)))
    return next(iter(in_the_way(job.run)))[1]


def ask(job: Job, pid: int, by: str = "noor", reason: str = "A forgotten psql", **told) -> SessionEnd:
    return request_end(job.run, pid=pid, reason=reason, request_key=uuid.uuid4(), actor=actor(by), **told)


def is_alive(pid: int, rewards: Rewards) -> bool:
    with rewards.connect() as opened:
        return bool(opened.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone())


def test_a_person_with_the_right_ends_the_session_in_the_way_and_the_run_goes_on(ledger):
    job = ledger.start(ledger.plan())
    with reading(ledger.connect(application_name="report")) as reader, executing(ledger, job):
        seen = shown(job)
        ask(job, seen["pid"])
        eventually(lambda: SessionEnd.objects.get().done_at)
        assert seen["pid"] == reader.info.backend_pid
        with pytest.raises(psycopg.OperationalError):
            reader.execute("SELECT 1")

    assert "4711" not in seen["query"]
    wish = SessionEnd.objects.get()
    assert (wish.outcome, wish.shown_application, wish.shown_user) == (SessionOutcome.ENDED, "report", "migrator")
    assert (now(job).state, now(job).applied) == (JobState.SUCCEEDED, 1)
    events = AuditEvent.objects.filter(object_type="sessionend").order_by("seq")
    assert [(one.action, one.actor_name, one.reason) for one in events] == [
        ("session.end-requested", "noor", "A forgotten psql"),
        ("session.end-answered", "executor", ""),
    ]


def test_a_session_of_which_too_little_is_told_to_know_it_again_is_never_ended(ledger):
    job = ledger.start(ledger.plan())
    with ledger.connect() as opened:
        target = opened.info.dbname
    superuser = psycopg.connect(os.environ[SUPERUSER_URL], dbname=target, autocommit=True, application_name="report")
    with reading(superuser) as reader, executing(ledger, job):
        with pytest.raises(SessionNotEnded, match="pg_read_all_stats"):
            ask(job, shown(job)["pid"])
        assert reader.execute("SELECT 1").fetchone() == (1,)
        reader.execute("COMMIT")

    assert not SessionEnd.objects.exists()
    assert now(job).state == JobState.SUCCEEDED


def test_who_may_not_who_gives_no_reason_and_who_means_another_session_end_nobody(ledger):
    job = ledger.start(ledger.plan())
    with reading(ledger.connect()) as reader, executing(ledger, job):
        pid = shown(job)["pid"]
        with pytest.raises(NotAllowed):
            ask(job, pid, by="dana")
        with pytest.raises(EndReasonMissing):
            ask(job, pid, reason=" ")
        with ledger.connect() as bystander, pytest.raises(SessionNotInTheWay):
            ask(job, bystander.info.backend_pid)
        with pytest.raises(SessionNotInTheWay):  # another transaction of the same session than was shown
            ask(job, pid, xact_start=now(job).created_at - timedelta(days=1))
        assert reader.execute("SELECT 1").fetchone() == (1,)
        reader.execute("COMMIT")

    assert not SessionEnd.objects.exists()
    assert now(job).state == JobState.SUCCEEDED


def test_a_second_wish_finds_the_first_and_one_that_nobody_came_to_is_told_as_not_tried(ledger, monkeypatch):
    monkeypatch.setattr("deployments.pipelines.waits.Carrier.carry", lambda _: None)  # the guard never learns of it
    job = ledger.start(ledger.plan())
    with reading(ledger.connect()) as reader, executing(ledger, job):
        pid = shown(job)["pid"]
        first = ask(job, pid)
        with pytest.raises(EndAskedAlready):
            ask(job, pid, by="lee")
        again = request_end(job.run, pid=pid, reason="x", request_key=first.request_key, actor=actor("noor"))
        assert again == first
        assert reader.execute("SELECT 1").fetchone() == (1,)
        reader.execute("COMMIT")

    assert SessionEnd.objects.get().outcome == SessionOutcome.NOT_TRIED
    assert AuditEvent.objects.filter(action="session.end-answered").count() == 1
    assert is_alive(pid, ledger) is False  # it left by itself


def test_every_outcome_of_a_guard_can_be_stored():
    assert set(Outcome) | {SessionOutcome.NOT_TRIED} == set(SessionOutcome.values)


def test_what_was_gone_is_told_as_perhaps_ended_only_where_another_executor_may_have_done_it(ledger):
    """An executor may be lost between telling a session to end and writing that it has."""
    with ledger.connect() as holder, reading(holder):
        job = ledger.start(ledger.plan())
        with executing(ledger, job):
            pid = shown(now(job))["pid"]
            wish = ask(now(job), pid)
            eventually(SessionEnd.objects.filter(pk=wish.pk, outcome="ended").exists)
    as_if_gone = SessionEnd.objects.select_related("job").get(pk=wish.pk)
    as_if_gone.outcome = SessionOutcome.GONE

    assert _became(as_if_gone) == BECAME[SessionOutcome.GONE]

    as_if_gone.done_at = timezone.now()  # only now, by the executor of a later step
    assert _became(as_if_gone) == PERHAPS_ENDED
