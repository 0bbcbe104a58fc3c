"""A run in doubt: what the target says is shown with its age, and decides what a person may confirm."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from psycopg import sql

from deployments.authority import NotAllowed
from deployments.crash import VARIABLE
from deployments.models import Job, TargetRequest
from deployments.pipelines import executor
from deployments.pipelines.answering import answer_request
from deployments.selectors import doubts
from deployments.selectors.audit import events_about
from deployments.selectors.doubts import known_about
from deployments.services.looks import request_look
from deployments.services.resolve import NotShownApplied, confirm_applied, run_again
from tests.engine.conftest import SHORT_LEASE, Rewards, actor, configured
from tests.engine.processes import eventually

BUILD = "CREATE INDEX CONCURRENTLY by_name ON users (name)"


def index(rewards: Rewards) -> int | None:
    with rewards.connect() as opened:
        return opened.execute("SELECT to_regclass('by_name')::oid::bigint").fetchone()[0]


def in_doubt_after(rewards: Rewards, monkeypatch, *, point: str, forward: str = BUILD) -> Job:
    """Return a job whose executor died there, and whose next one gave it to a person."""
    with rewards.connect() as opened:
        opened.execute("CREATE TABLE IF NOT EXISTS users (id int, name text)")
    rewards.write("001_index", forward)
    rewards.sync()
    job = rewards.start(rewards.plan())
    rewards.execute(job, **{VARIABLE: point}, **SHORT_LEASE)
    eventually(lambda: Job.objects.filter(pk=job.pk, lease_until__lt=Now()).exists())
    with monkeypatch.context() as patch:
        patch.setattr(executor, "MOST_CLAIMS", 1)
        with configured(rewards.environment | {"LEASE": "2"}):
            eventually(lambda: executor.execute(job.pk))
    return Job.objects.select_related("run").get(pk=job.pk)


def newest(job: Job) -> TargetRequest:
    return TargetRequest.objects.filter(job=job).latest("id")


def test_the_executor_that_gives_up_looks_and_a_dba_confirms_what_the_catalogue_shows(rewards, monkeypatch):
    job = in_doubt_after(rewards, monkeypatch, point="statement-acted")
    built, known = index(rewards), known_about(job)

    assert job.state == "needs_attention"
    assert (known.say, known.place) == ("The target shows that it is applied.", "statement 1 of 001_index")
    assert [(row["position"], row["state"]) for row in known.look.found["statements"]] == [(1, "intent")]
    assert (known.look.found["history"], known.look.found["sessions"]) == ([], [])
    with pytest.raises(NotAllowed, match="that takes the role DBA"):
        confirm_applied(job.run, look=known.look.pk, reason="I see it", actor=actor("noor"))

    confirm_applied(job.run, look=known.look.pk, reason="The index is there", actor=actor("lee"))
    job = rewards.execute(job)

    assert (job.state, job.applied, index(rewards)) == ("succeeded", 1, built), job.error
    told = events_about(job).get(action="job.confirmed-applied")
    assert (told.actor_name, told.reason, told.after["look"]) == ("lee", "The index is there", known.look.pk)


def test_what_was_confirmed_and_is_gone_since_is_not_sent_again_but_shown_to_a_person(rewards, monkeypatch):
    job = in_doubt_after(rewards, monkeypatch, point="statement-acted")
    confirm_applied(job.run, look=newest(job).pk, reason="The index is there", actor=actor("lee"))
    with rewards.connect() as opened:
        opened.execute("DROP INDEX by_name")

    job = rewards.execute(job)

    assert (job.state, job.error_code, index(rewards)) == ("needs_attention", "in-doubt", None)
    assert "a person confirmed that it did, and the target shows it no longer" in job.error
    with pytest.raises(NotShownApplied, match="the target does not show it"):
        confirm_applied(job.run, look=newest(job).pk, reason="I insist", actor=actor("lee"))

    run_again(job.run, reason="Then build it", actor=actor("noor"))
    assert (rewards.execute(job).state, index(rewards) is not None) == ("succeeded", True)


def test_nobody_confirms_on_an_old_look_another_look_or_one_that_the_target_did_not_answer(
    rewards, monkeypatch, superuser, database
):
    job = in_doubt_after(rewards, monkeypatch, point="statement-acted")
    first = newest(job)
    with monkeypatch.context() as patch:
        patch.setattr(doubts, "CONFIRM_WITHIN", timedelta(0))
        with pytest.raises(NotShownApplied, match="older than"):
            confirm_applied(job.run, look=first.pk, reason="Old", actor=actor("lee"))

    assert answer_request(request_look(job.run, actor=actor("noor")).pk)
    with pytest.raises(NotShownApplied, match="another look at the target was made"):
        confirm_applied(job.run, look=first.pk, reason="Another", actor=actor("lee"))

    door = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    name = sql.Identifier(f"{database}_staging")
    superuser.execute(door.format(name, sql.SQL("false")))
    try:
        assert answer_request(request_look(job.run, actor=actor("noor")).pk)
    finally:
        superuser.execute(door.format(name, sql.SQL("true")))
    assert (known_about(job).say, newest(job).error_code) == ("The target did not answer.", "target-unreachable")
    with pytest.raises(NotShownApplied, match="the target did not answer"):
        confirm_applied(job.run, look=newest(job).pk, reason="Silent", actor=actor("lee"))
    job.refresh_from_db()
    assert job.state == "needs_attention"


def test_a_transaction_without_its_history_row_is_not_applied_whatever_else_is_said(rewards, monkeypatch):
    job = in_doubt_after(rewards, monkeypatch, point="before-commit", forward="CREATE TABLE more (id int)")
    known = known_about(job)

    assert known.say == "The target shows that it is not applied."
    assert known.look.found["transaction"]["says"] == "aborted"
    assert (known.last.migration, known.last.statement) == ("001_index", "1 of 1")
    assert known.last.pid
    with pytest.raises(NotShownApplied):
        confirm_applied(job.run, look=known.look.pk, reason="Perhaps", actor=actor("lee"))

    run_again(job.run, reason="Again", actor=actor("noor"))
    assert (rewards.execute(job).state, rewards.tables()) == ("succeeded", {"users", "more"})


def test_a_commit_that_nobody_recorded_is_confirmed_and_goes_on(rewards, monkeypatch):
    job = in_doubt_after(rewards, monkeypatch, point="migration-committed", forward="CREATE TABLE more (id int)")
    known = known_about(job)

    assert (known.say, known.place) == ("The target shows that it is applied.", "")
    confirm_applied(job.run, look=known.look.pk, reason="It is there", actor=actor("lee"))

    job = rewards.execute(job)
    assert (job.state, job.applied) == ("succeeded", 1)
    assert rewards.history() == [("001_index", "forward")]


def test_an_index_of_that_name_that_is_another_one_is_shown_and_nothing_of_it_is_touched(rewards, monkeypatch):
    job = in_doubt_after(rewards, monkeypatch, point="statement-intended")
    with rewards.connect() as opened:
        opened.execute("CREATE INDEX by_name ON users (id)")
    other = index(rewards)
    run_again(job.run, reason="Again", actor=actor("noor"))
    job = rewards.execute(job)

    assert (job.state, index(rewards)) == ("needs_attention", other)
    known = known_about(job)
    assert known.say == "The target itself cannot tell."
    assert "it is another one: columns: (id) instead of (name)" in known.doubt["why"]


def test_a_look_is_asked_once_by_those_who_decide(rewards, monkeypatch):
    job = in_doubt_after(rewards, monkeypatch, point="before-commit", forward="CREATE TABLE more (id int)")

    with pytest.raises(NotAllowed):
        request_look(job.run, actor=actor("dana"))
    first = request_look(job.run, actor=actor("noor"))
    assert request_look(job.run, actor=actor("lee")).pk == first.pk

    assert answer_request(first.pk)
    assert not answer_request(first.pk), "answered twice"
