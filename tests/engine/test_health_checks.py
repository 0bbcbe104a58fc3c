"""Health checks from the command that sets one to the run that obeys it."""

import queue
import socket
import subprocess

import pytest
from django.db import IntegrityError, transaction

from checks.health import Expectation
from deployments.actors import COMMAND_LINE
from deployments.addresses import HealthCheckUnusable
from deployments.authority import NotAllowed
from deployments.models import AuditEvent, Environment, HealthCheck, Job, Step
from deployments.pipelines.observing import observe_place
from deployments.services import setup
from deployments.services.decide import request_cancel
from deployments.services.policy import change_policy
from tests.application import Application, answering_json, in_turn, running
from tests.engine.conftest import SHORT_LEASE, Rewards, actor
from tests.engine.processes import eventually
from tests.engine.test_commands import manage

__all__ = ["manage"]

UP = answering_json({"status": "up", "version": "2.4.1"})
DOWN = answering_json({"status": "down"}, status=503)
PLACE = "rewards/staging"


def checked(rewards: Rewards, application: Application, *, watch_seconds: int = 0) -> None:
    """Have staging's application asked after every run, and watched for so long."""
    place = rewards.staging.environment
    setup.set_health_check(place, Expectation(application.url(), version_path="version"), actor=COMMAND_LINE)
    if watch_seconds:
        change_policy(place, rules={"watch_seconds": watch_seconds}, reason="To see it", actor=actor("lee"))


def step(job: Job, name: str) -> Step:
    return Step.objects.filter(job=job, name=name).latest("attempt")


def deployed(rewards: Rewards) -> Job:
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    return rewards.deploy()


def test_the_command_sets_a_health_check_and_another_one_in_its_place(rewards, manage):
    said, status = manage("add", "health", PLACE, "--url", "http://shop.example/health", "--text", "up")
    assert (status, said) == (0, f"Added {PLACE}: http://shop.example/health.\n")

    options = "--status 204 --json-path checks.0.up --json-value true --version-path build.version".split()
    options += ["--latency-path", "latency.p99_ms"]
    _, status = manage("add", "health", PLACE, "--url", "https://shop.example:8443/h?deep=1", *options)

    assert status == 0
    assert HealthCheck.objects.get().expectation() == Expectation(
        "https://shop.example:8443/h?deep=1",
        status=204,
        json_path="checks.0.up",
        json_value="true",
        version_path="build.version",
        latency_path="latency.p99_ms",
    )
    first, second = AuditEvent.objects.filter(action="health-check.set").order_by("seq")
    assert (first.before, first.after["text"], second.before["text"], second.after["text"]) == (None, "up", "up", "")
    assert (second.before, second.object_name) == (first.after, PLACE)


def test_the_same_health_check_set_twice_is_recorded_once(rewards):
    for _ in range(2):
        setup.set_health_check(rewards.staging.environment, Expectation("http://shop.example/"), actor=COMMAND_LINE)

    assert AuditEvent.objects.filter(action="health-check.set").count() == 1


def test_the_command_refuses_with_a_code_and_never_repeats_a_password(rewards, manage):
    said, status = manage("add", "health", PLACE, "--url", "http://shop:hunter2@shop.example/")

    assert (status, "health-check-unusable: " in said, "hunter2" in said) == (1, True, False)
    assert not HealthCheck.objects.exists()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"url": "http://shop:hunter2@shop.example/"}, "a name or a password"),
        ({"url": "http://169.254.169.254/latest/meta-data"}, "metadata, link-local and tunnel addresses"),
        ({"url": "http://[::ffff:169.254.169.254]/"}, "metadata, link-local and tunnel addresses"),
        ({"url": "ftp://shop.example/"}, "must begin with http"),
        ({"json_value": "up"}, "without the path"),
        ({"status": 99}, "between 100 and 599"),
        ({"status": 600}, "between 100 and 599"),
        ({"text": "x" * 201}, "longer than 200"),
        ({"text": "a\x00b"}, "not printable"),
        ({"json_path": "a\x1b"}, "not printable"),
        ({"version_path": "\ud800"}, "not printable"),
        ({"latency_path": "a\n"}, "not printable"),
        ({"latency_path": "x" * 201}, "longer than 200"),
    ],
)
def test_what_cannot_be_used_stored_or_shown_is_refused_whoever_asks(rewards, fields, problem):
    expectation = Expectation(**{"url": "http://shop.example/"} | fields)
    with pytest.raises(HealthCheckUnusable, match=problem):
        setup.set_health_check(rewards.staging.environment, expectation, actor=COMMAND_LINE)

    assert not HealthCheck.objects.exists()
    assert not AuditEvent.objects.filter(action="health-check.set").exists()


def test_only_who_manages_the_application_sets_its_health_check(rewards):
    place, expectation = rewards.staging.environment, Expectation("http://shop.example/")
    with pytest.raises(NotAllowed):
        setup.set_health_check(place, expectation, actor=actor("dana"))
    assert not HealthCheck.objects.exists()

    setup.set_health_check(place, expectation, actor=actor("lee"))

    assert AuditEvent.objects.get(action="health-check.set").actor_name == "lee"


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ("health_status_is_http", {"status": 99}),
        ("health_status_is_http", {"status": 600}),
        ("health_value_has_its_path", {"json_value": "up"}),
    ],
)
def test_the_database_refuses_by_itself_what_no_answer_could_meet(rewards, rule, fields):
    with pytest.raises(IntegrityError, match=rule), transaction.atomic():
        HealthCheck.objects.create(environment=rewards.staging.environment, url="http://shop.example/", **fields)


def test_a_healthy_application_lets_the_run_succeed_and_its_version_is_known(rewards):
    with running(UP) as application:
        checked(rewards, application, watch_seconds=1)
        job = deployed(rewards)

    assert (job.state, job.applied) == ("succeeded", 1), rewards.output
    assert [step(job, name).state for name in ("health check", "watch")] == ["succeeded", "succeeded"]
    watched = step(job, "watch")
    assert (watched.evidence["unhealthy"], watched.progress["seconds_left"]) == (0, 0)
    assert len(application.requests) == watched.evidence["healthy"] + 2  # preflight, health check
    assert Environment.objects.get(pk=rewards.staging.environment.pk).application_version == "2.4.1"


def test_a_version_that_came_without_a_run_is_known_after_the_next_look_and_stays_while_nothing_answers(rewards):
    place = rewards.staging.environment
    new = answering_json({"status": "down", "version": "2.5.0"}, status=503)
    with running(in_turn(UP, new)) as application:
        checked(rewards, application)
        for version in ("2.4.1", "2.5.0"):
            observe_place(rewards.staging, actor=COMMAND_LINE)
            place.refresh_from_db()
            assert place.application_version == version

    observe_place(rewards.staging, actor=COMMAND_LINE)
    place.refresh_from_db()
    assert place.application_version == "2.5.0"
    assert rewards.staging.observations.count() == 3
    assert AuditEvent.objects.filter(action="environment.version-reported").count() == 2


def test_an_application_that_breaks_fails_the_run_and_the_migration_stays(rewards):
    with running(in_turn(UP, DOWN)) as application:
        checked(rewards, application)
        job = deployed(rewards)

    assert (job.state, job.error_code, job.applied) == ("failed", "unhealthy", 1), rewards.output
    assert "Its status is 503, not 200. It was healthy before." in job.error
    ended = step(job, "health check")
    assert (ended.state, len(ended.evidence["readings"])) == ("failed", 3)
    assert not Step.objects.filter(job=job, name="watch").exists()
    assert (rewards.tables(), rewards.history()) == ({"ledger"}, [("001_ledger", "forward")])


def test_without_a_health_check_and_without_a_watch_both_steps_are_skipped_and_say_so(rewards):
    job = deployed(rewards)

    assert job.state == "succeeded", rewards.output
    assert {name: (step(job, name).state, step(job, name).summary) for name in ("health check", "watch")} == {
        "health check": (
            "skipped",
            "No health check is configured for this environment: health was not measured.",
        ),
        "watch": ("skipped", "A watch is not asked by this policy."),
    }


def begun(rewards: Rewards) -> Job:
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    rewards.sync()
    return rewards.start(rewards.plan())


def test_a_cancel_ends_a_watch_that_has_hours_to_go(rewards):
    with running(UP) as application:
        checked(rewards, application, watch_seconds=36_000)
        job = begun(rewards)
        with rewards.executor(job, HEALTH_INTERVAL="3600") as process:
            eventually(lambda: Step.objects.filter(name="watch", progress__has_key="seconds_left").exists())
            request_cancel(job.run, actor=actor("dana"))
            process.communicate(timeout=60)

    job.refresh_from_db()
    assert (job.state, job.error_code, job.applied) == ("cancelled", "cancelled-on-request", 1)
    assert step(job, "watch").state == "interrupted"
    assert (rewards.tables(), len(application.requests)) == ({"ledger"}, 3)


def test_an_executor_that_takes_over_a_watch_begins_it_anew_and_runs_nothing_twice(rewards):
    executors: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()

    def kill_who_asks(_opened: socket.socket, _application: Application) -> None:
        executors.get(timeout=60).kill()

    with running(
        in_turn(UP, UP, kill_who_asks, UP)
    ) as application:  # preflight, health check, first probe of the watch
        checked(rewards, application, watch_seconds=1)
        job = begun(rewards)
        with rewards.executor(job, **SHORT_LEASE) as process:
            executors.put(process)
            process.communicate(timeout=60)
        eventually(lambda: rewards.execute(job).state == "succeeded")

    first, second = Step.objects.filter(job=job, name="watch").order_by("attempt")
    assert (first.state, second.state) == ("interrupted", "succeeded")
    assert second.evidence["healthy"] == len(application.requests) - 2
    assert Step.objects.filter(job=job, name="health check").count() == 1
    assert rewards.history() == [("001_ledger", "forward")]
