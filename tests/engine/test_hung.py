"""A server that hangs: its process is stopped, its connection stays. A request to stop is obeyed all the same."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from deployments.pipelines.asking import looking, patiently
from deployments.postgres.connect import Session, session
from deployments.postgres.stopped import CancelledOnRequest
from tests.engine.processes import eventually
from tests.engine.stages import Stage, stored

AT_LAST = 60.0  # seconds: only a step that cannot let go waits so long


@contextmanager
def hung(stage: Stage, *, query: str) -> Iterator[threading.Event]:
    """Stop the server process that works on a query, then ask the step to stop.

    The event says that the process had to be resumed before the step let go.
    """
    resumed = threading.Event()
    pids: list[int] = []

    def resume() -> None:
        resumed.set()
        go_on()

    def go_on() -> None:
        for pid in pids[:1]:  # none if the query was never seen: then `stop` says why
            os.kill(pid, signal.SIGCONT)

    def stop() -> None:
        with stage.rewards.connect() as looking_on:
            asks = "SELECT pid FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid()"
            eventually(lambda: pids.extend(pid for (pid,) in looking_on.execute(asks, [query]).fetchall()) or pids)
        os.kill(pids[0], signal.SIGSTOP)
        stage.control.asked.set()

    at_last = threading.Timer(AT_LAST, resume)
    stopping = threading.Thread(target=stop)
    stopping.start()
    at_last.start()
    try:
        yield resumed
    finally:
        at_last.cancel()
        stopping.join()
        go_on()


@pytest.fixture
def stage(rewards) -> Stage:
    slow = stored("-- expect: 1\nSELECT count(*) FROM (SELECT pg_sleep(5)) AS slow")
    migrations = [{"name": "001", "forward": stored("SELECT 1"), "rollback": stored("SELECT 1"), "verify": slow}]
    return Stage(rewards, {"kind": "deploy", "migrations": migrations, "touches": [], "smoke": None})


def test_a_check_on_a_server_that_hangs_is_let_go_when_a_person_asks(stage):
    with hung(stage, query="%pg_sleep(5)%") as resumed:
        with pytest.raises(CancelledOnRequest):
            stage.after()

        assert not resumed.is_set()


def test_what_only_looks_lets_go_of_a_server_that_hangs(stage):
    with hung(stage, query="%pg_sleep(5)%") as resumed:
        with (
            pytest.raises(CancelledOnRequest),
            session(stage.target, name=stage.holder.session_name) as opened,
            looking(stage, opened),
        ):
            opened.execute("SELECT pg_sleep(5)")

        assert not resumed.is_set()


def test_a_cancel_that_ends_a_question_is_not_taken_for_a_lock(stage):
    def look(opened: Session) -> None:
        stage.control.asked.set()
        opened.execute("SELECT pg_sleep(30)")

    with pytest.raises(CancelledOnRequest):
        patiently(stage, look)


def test_a_server_that_answers_is_asked_to_cancel_and_keeps_its_session(stage):
    with session(stage.target, name=stage.holder.session_name) as opened:
        threading.Timer(0.5, stage.control.asked.set).start()
        with pytest.raises(CancelledOnRequest) as stopped, looking(stage, opened):
            opened.execute("SELECT pg_sleep(30)")

        assert isinstance(stopped.value.__context__.__context__, psycopg.errors.QueryCanceled)
        assert opened.execute("SELECT 1").fetchone() == (1,)
