"""The application's own latency: asked for all along a job, stored as it came, and never in the way of the job."""

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from ipaddress import ip_network

import psycopg
import pytest
from django.db.models.functions import Now

from checks.health import Expectation
from deployments.actors import COMMAND_LINE
from deployments.models import Job, LatencyReading, Step
from deployments.pipelines.latency import LatencyReadings
from deployments.probe import Prober
from deployments.services import setup
from deployments.services.decide import request_cancel
from deployments.services.policy import change_policy
from deployments.services.transition import claim_job
from tests.application import Application, answering_json, in_turn, running, sending, silent
from tests.engine.conftest import Rewards, actor
from tests.engine.processes import eventually

PATH = "latency.p99_ms"
BEHIND_THE_GATE = "ALTER TABLE gate ADD COLUMN note text"
BEHIND_THE_GATE_BACK = "ALTER TABLE gate ADD COLUMN note text; DROP TABLE ledger"
OFTEN = {"LATENCY_INTERVAL": "0.05", "HEALTH_INTERVAL": "3600"}
PROBER = Prober([ip_network("127.0.0.0/8")], timedelta(seconds=10), whole_limit=timedelta(seconds=60))


def reporting(milliseconds: object, **rest: object):
    return answering_json({"status": "up", "latency": {"p99_ms": milliseconds}}, **rest)


def rising():
    """Answer with 1, then 2, and so on, whoever asks."""
    return in_turn(*(reporting(number) for number in range(1, 2000)))


@pytest.fixture
def gate(rewards: Rewards) -> Iterator[psycopg.Connection]:
    """A lock on the target that holds a migration up until it is given back."""
    with rewards.connect() as opened:
        opened.execute("CREATE TABLE gate (id int)")
        opened.autocommit = False
        opened.execute("LOCK TABLE gate")
        yield opened


def begun(
    rewards: Rewards,
    application: Application,
    *,
    watch_seconds: int = 36_000,
    path: str = PATH,
    forward: str = "CREATE TABLE ledger (id int)",
    rollback: str = "DROP TABLE ledger",
) -> Job:
    """Return a started job whose application is asked at `path`, and that watches it in the end."""
    rewards.write("001_ledger", forward, rollback)
    rewards.sync()
    place = rewards.staging.environment
    setup.set_health_check(place, Expectation(application.url(), latency_path=path), actor=COMMAND_LINE)
    change_policy(place, rules={"watch_seconds": watch_seconds}, reason="To see it", actor=actor("lee"))
    return rewards.start(rewards.plan())


def claimed(rewards: Rewards) -> Job:
    """Return a job that this test holds."""
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()
    return claim_job(rewards.start(rewards.plan()).pk, executor="one", lease=timedelta(hours=1), actor=actor("dana"))


def asking(job: Job, application: Application, *, path: str = PATH) -> LatencyReadings:
    expectation = Expectation(application.url(), latency_path=path)
    return LatencyReadings(job, health=expectation, prober=PROBER, interval=timedelta(milliseconds=20))


def stored(job: Job) -> list[tuple[float | None, bool]]:
    return list(LatencyReading.objects.filter(job=job).values_list("milliseconds", "is_healthy"))


def threads() -> int:
    return sum(one.name == "latency" for one in threading.enumerate())


@pytest.fixture(autouse=True)
def none_is_left_from_before() -> None:
    """Wait for the threads that other tests left behind: what is counted here is of this test."""
    eventually(lambda: threads() == 0)


def reached(process: subprocess.Popen[str], condition: Callable[[], object]) -> None:
    """Wait for it as long as the executor lives."""
    eventually(lambda: process.poll() is not None or condition())
    assert process.poll() is None, process.communicate()


def watched() -> bool:
    return Step.objects.filter(name="watch", progress__has_key="seconds_left").exists()


def test_a_run_stores_what_the_application_reports_from_its_first_step_to_its_last(rewards, gate):
    with running(rising()) as application:
        job = begun(rewards, application, forward=BEHIND_THE_GATE)
        with rewards.executor(job, **OFTEN) as process:
            reached(process, lambda: len(stored(job)) > 2)
            gate.rollback()
            reached(process, watched)
            known = len(stored(job))
            reached(process, lambda: len(stored(job)) > known + 2)
            request_cancel(job.run, actor=actor("dana"))
            process.communicate(timeout=60)

    job.refresh_from_db()
    readings = list(job.latency_readings.all())
    reported = [one.milliseconds for one in readings]
    assert (job.state, process.returncode) == ("cancelled", 0)
    assert [one.number for one in readings] == list(range(1, len(readings) + 1))
    assert sorted(set(reported)) == reported  # each a report of its own, in order
    assert all(one.is_healthy for one in readings)
    migrate, watch = Step.objects.filter(job=job, name__in=["migrate", "watch"]).order_by("position")
    assert readings[2].at < migrate.finished_at < watch.started_at < readings[-1].at < job.finished_at
    assert len(application.requests) >= len(readings) + 3  # preflight, health check and watch ask for themselves


def test_a_way_back_is_measured_too(rewards, gate):
    with running(rising()) as application:
        done = rewards.execute(begun(rewards, application, watch_seconds=0, rollback=BEHIND_THE_GATE_BACK))
        assert done.state == "succeeded", rewards.output
        back = rewards.start(rewards.plan_rollback(done.run))
        with rewards.executor(back, **OFTEN) as process:
            reached(process, lambda: len(stored(back)) > 2)
            gate.rollback()
            process.communicate(timeout=60)

    back.refresh_from_db()
    assert (back.state, rewards.tables()) == ("succeeded", {"gate"})
    assert all(is_healthy for _, is_healthy in stored(back))


def test_without_a_path_nothing_is_asked_and_nothing_stored(rewards):
    with running(rising()) as application:
        job = rewards.execute(begun(rewards, application, watch_seconds=0, path=""), **OFTEN)

    assert job.state == "succeeded", rewards.output
    assert len(application.requests) == 2  # preflight, health check
    assert not LatencyReading.objects.exists()


@pytest.mark.parametrize("health", [None, Expectation("http://127.0.0.1:9/health")])
def test_without_a_health_check_or_a_path_there_is_no_thread(health):
    with LatencyReadings(Job(pk=1, fence=1), health=health, prober=PROBER, interval=timedelta(0)):
        assert threads() == 0


def test_what_is_not_in_the_answer_is_stored_as_nothing_and_never_as_zero(rewards):
    job = claimed(rewards)
    answers = [reporting(1.5), reporting(None), reporting(7, status=503), answering_json({}), reporting(0), rising()]
    with running(in_turn(*answers)) as application, asking(job, application):
        eventually(lambda: len(stored(job)) > 5)

    assert stored(job)[:6] == [(1.5, True), (None, True), (7, False), (None, True), (0, True), (1, True)]


def test_an_application_that_does_not_answer_leaves_a_gap(rewards):
    job = claimed(rewards)
    with running(sending()) as application, asking(job, application):
        eventually(lambda: len(stored(job)) > 1)

    assert set(stored(job)) == {(None, False)}


def test_nobody_waits_for_an_address_that_hangs_and_its_late_answer_is_not_stored(rewards):
    job = claimed(rewards)
    may_answer = threading.Event()

    def late(opened: socket.socket, application: Application) -> None:
        may_answer.wait(60)
        reporting(214)(opened, application)

    with running(late) as application:
        with asking(job, application):
            eventually(lambda: application.connections)
        assert threads() == 1  # left behind, still waiting

        may_answer.set()
        eventually(lambda: threads() == 0)

    assert (application.connections, stored(job)) == (1, [])


def test_an_executor_ends_in_order_while_its_application_hangs(rewards):
    hang = threading.Event()
    is_asked = threading.Event()

    def behave(opened: socket.socket, application: Application) -> None:
        if hang.is_set():
            is_asked.set()
            silent(opened, application)
        else:
            reporting(214)(opened, application)

    with running(behave) as application:
        job = begun(rewards, application)
        with rewards.executor(job, **OFTEN) as process:
            reached(process, watched)
            hang.set()
            reached(process, is_asked.is_set)
            request_cancel(job.run, actor=actor("dana"))
            said, _ = process.communicate(timeout=60)

    job.refresh_from_db()
    assert (job.state, process.returncode) == ("cancelled", 0), said
    assert "Traceback" not in said


def test_who_takes_over_a_job_goes_on_with_its_readings(rewards):
    with running(rising()) as application:
        job = begun(rewards, application)
        with rewards.executor(job, **OFTEN) as process:
            reached(process, watched)
            reached(process, lambda: len(stored(job)) > 2)
            process.kill()
        before = stored(job)
        fence = Job.objects.get(pk=job.pk).fence
        Job.objects.filter(pk=job.pk).update(lease_until=Now() - timedelta(seconds=1))
        with rewards.executor(job, **OFTEN) as successor:
            reached(successor, lambda: len(stored(job)) > len(before) + 2)
            request_cancel(job.run, actor=actor("dana"))
            successor.communicate(timeout=60)

    job.refresh_from_db()
    assert job.fence > fence
    assert stored(job)[: len(before)] == before
    numbers = list(job.latency_readings.values_list("number", flat=True))
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_thread_whose_job_was_taken_over_ends_by_itself(rewards):
    job = claimed(rewards)
    with running(rising()) as application, asking(job, application):
        eventually(lambda: stored(job))
        Job.objects.filter(pk=job.pk).update(fence=job.fence + 1, claims=2, executor="two")
        eventually(lambda: threads() == 0)
        known = len(stored(job))

    assert 0 < known < application.connections + 1


def test_a_connection_that_is_cut_costs_a_reading_and_no_more(rewards, superuser, database):
    job = claimed(rewards)
    with running(rising()) as application, asking(job, application):
        eventually(lambda: stored(job))
        cut = superuser.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = %s AND query LIKE %s AND pid <> pg_backend_pid()",
            [database, "INSERT INTO deployments_latencyreading%"],
        ).fetchone()
        known = len(stored(job))
        eventually(lambda: len(stored(job)) > known + 2)

    assert cut == (1,)


def test_a_machine_without_a_thread_to_give_does_not_stop_the_job(rewards, monkeypatch):
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    job = claimed(rewards)
    with running(rising()) as application:
        measured = asking(job, application)
        monkeypatch.setattr(threading.Thread, "start", refuse)
        with measured:
            passed = True
        monkeypatch.undo()

    assert (passed, application.connections, stored(job)) == (True, 0, [])


def test_the_path_is_part_of_what_is_approved_and_an_older_plan_has_none(rewards):
    with running(rising()) as application:
        plan = begun(rewards, application).run.plan

    assert (plan["format"], plan["health"]["latency_path"]) == (7, PATH)
    older = {name: value for name, value in plan["health"].items() if name != "latency_path"}
    assert Expectation(**older).latency_path == ""
