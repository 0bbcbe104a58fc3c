"""The steps that ask the application: what they call healthy, how long they wait, and what they say when it is not."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import pytest

from checks.health import Expectation
from deployments.models import AuditEvent, Environment
from deployments.pipelines.steps import watch
from deployments.pipelines.steps.health import CheckHealth, Unhealthy
from deployments.pipelines.steps.watch import Watch
from deployments.postgres.stopped import CancelledOnRequest
from deployments.probe import Prober
from tests.application import Application, answering, answering_json, in_turn, running

UP = answering_json({"status": "up", "version": "2.4.1"})
DOWN = answering_json({"status": "down", "version": "2.5.0"}, status=503)
WHY = "Its status is 503, not 200."
NOT_MEASURED = "No health check is configured for this environment: health was not measured."
PROBER = Prober([ip_network("127.0.0.0/8")], timedelta(seconds=10))


@dataclass
class Stage:
    """A step's context over a real application; waiting moves its clock, and takes no time."""

    application: Application
    plan: dict[str, Any]
    health: Expectation | None
    environment: Environment | str = "rewards/staging"
    preflight: dict[str, Any] = field(default_factory=dict)
    prober: Prober = PROBER
    now: float = 0
    waits: list[float] = field(default_factory=list)
    cancel_in_wait: int = 0  # a person asks to stop during this wait
    lines: list[str] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)

    @property
    def job(self) -> SimpleNamespace:
        return SimpleNamespace(run=SimpleNamespace(environment=self.environment))

    @property
    def control(self) -> "Stage":
        return self

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def require_may_start(self) -> None:
        if self.cancel_in_wait and len(self.waits) >= self.cancel_in_wait:
            raise CancelledOnRequest(migration="The job")

    def evidence_of(self, name: str) -> dict[str, Any]:
        return {"preflight": self.preflight}[name]

    def log(self, line: str) -> None:
        self.lines.append(line)

    def progress(self, facts: dict[str, Any]) -> None:
        self.told.append(facts)


@pytest.fixture
def stage(monkeypatch) -> Iterator[Callable[..., Stage]]:
    """Make a context with an application that answers in these ways, one after the other."""
    running_here = []

    def make(*answers: Any, watch_seconds: int = 60, **given: Any) -> Stage:
        context = running(in_turn(*answers))
        running_here.append(context)
        application = context.__enter__()
        expectation = Expectation(application.url(), json_path="status", json_value="up", version_path="version")
        plan = {"kind": "deploy", "requirements": {"watch_seconds": watch_seconds}}
        made = Stage(application, plan, **{"health": expectation} | given)
        monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: made.now))
        return made

    yield make
    for context in running_here:
        context.__exit__(None, None, None)


@pytest.fixture
def kept(monkeypatch) -> list[str]:
    """Keep versions in a list, where a test has no database."""
    versions: list[str] = []
    monkeypatch.setattr(
        "deployments.pipelines.steps.health.keep_version", lambda _, version, **__: versions.append(version)
    )
    return versions


@pytest.mark.parametrize("step", [CheckHealth(), Watch()])
def test_without_a_health_check_nothing_is_measured_and_nothing_looks_like_a_pass(stage, step):
    ctx = stage(UP, health=None)

    result = step.run(ctx)

    assert (result.is_skipped, result.summary, result.evidence) == (True, NOT_MEASURED, {})
    assert ctx.application.connections == 0


def test_one_healthy_answer_is_enough(stage, kept):
    ctx = stage(UP)

    result = CheckHealth().run(ctx)

    (reading,) = result.evidence["readings"]
    took = reading["milliseconds"]
    assert result.summary == f"The application is healthy, {took} ms. Its version is 2.4.1."
    assert (reading["is_healthy"], reading["status"], reading["address"]) == (True, 200, "127.0.0.1")
    assert (result.is_skipped, ctx.waits, kept) == (False, [], ["2.4.1"])
    assert ctx.told == [{"probe": 1, "of": 3, "last": f"healthy, {took} ms."}]


def test_an_application_that_becomes_healthy_with_the_third_probe_is_healthy(stage, kept):
    ctx = stage(DOWN, DOWN, UP)

    result = CheckHealth().run(ctx)

    assert [one["is_healthy"] for one in result.evidence["readings"]] == [False, False, True]
    assert (ctx.waits, kept) == ([10, 10], ["2.4.1"])
    assert ctx.lines[:2] == [f"Probe {number} of at most 3: unhealthy: {WHY}" for number in (1, 2)]


@pytest.mark.parametrize(
    ("preflight", "before"),
    [
        ({"health": {"is_healthy": True, "why": ""}}, "It was healthy before."),
        ({"health": {"is_healthy": False, "why": "Its status is 500, not 200."}}, "It was unhealthy before as well."),
        ({}, "It was not measured before."),
    ],
)
def test_three_unhealthy_answers_refuse_and_are_compared_with_what_was_before(stage, kept, preflight, before):
    ctx = stage(DOWN, preflight=preflight)

    with pytest.raises(Unhealthy) as refused:
        CheckHealth().run(ctx)

    assert f"of rewards/staging was unhealthy in 3 probes in a row. The last: {WHY} {before} " in str(refused.value)
    assert [one["why"] for one in refused.value.evidence["readings"]] == [WHY] * 3
    assert (ctx.application.connections, ctx.waits, kept) == (3, [10, 10], [])


@pytest.mark.parametrize("step", [CheckHealth(), Watch()])
def test_a_cancel_while_it_waits_ends_it_before_another_probe(stage, kept, step):
    ctx = stage(DOWN, cancel_in_wait=1)

    with pytest.raises(CancelledOnRequest):
        step.run(ctx)

    assert (ctx.application.connections, kept) == (1, [])


@pytest.mark.parametrize("step", [CheckHealth(), Watch()])
def test_there_is_nothing_to_settle_a_second_attempt_asks_anew(stage, step):
    assert step.settled(stage(UP)) is None


def test_a_policy_that_asks_for_no_watch_is_not_watched(stage):
    ctx = stage(UP, watch_seconds=0)

    result = Watch().run(ctx)

    assert (result.is_skipped, result.summary) == (True, "A watch is not asked by this policy.")
    assert ctx.application.connections == 0


def test_a_watch_asks_at_every_interval_from_the_beginning_to_the_end(stage):
    ctx = stage(UP, watch_seconds=25)

    result = Watch().run(ctx)

    assert (ctx.waits, ctx.application.connections) == ([10, 10, 5], 4)
    assert result.summary == "Watched for 25 s: 4 of 4 answers were healthy."
    last = result.evidence.pop("last")
    slowest = result.evidence.pop("slowest_ms")
    assert result.evidence == {"seconds": 25, "healthy": 4, "unhealthy": 0}
    assert (last["is_healthy"], slowest >= last["milliseconds"]) == (True, True)
    assert [(told["seconds_left"], told["healthy"], told["unhealthy"]) for told in ctx.told] == [
        (25, 1, 0),
        (15, 2, 0),
        (5, 3, 0),
        (0, 4, 0),
    ]
    assert ctx.lines == []


def test_a_watch_forgives_two_unhealthy_answers_in_a_row_and_logs_them(stage):
    ctx = stage(UP, DOWN, DOWN, UP, DOWN, DOWN, UP)

    result = Watch().run(ctx)

    assert result.summary == "Watched for 60 s: 3 of 7 answers were healthy."
    assert [line.split(": ")[0] for line in ctx.lines] == [f"Probe {number}" for number in (2, 3, 4, 5, 6, 7)]


def test_three_unhealthy_answers_in_a_row_end_a_watch_as_unhealthy(stage):
    ctx = stage(UP, DOWN, DOWN, UP, DOWN, watch_seconds=600, preflight={"health": {"is_healthy": True}})

    with pytest.raises(Unhealthy, match=r"in a row. The last: Its status is 503, not 200. It was healthy before"):
        Watch().run(ctx)

    assert ctx.application.connections == 7
    assert (ctx.told[-1]["healthy"], ctx.told[-1]["unhealthy"]) == (2, 5)


def test_the_refusal_of_a_watch_carries_what_was_counted(stage):
    with pytest.raises(Unhealthy) as refused:
        Watch().run(stage(UP, DOWN))

    evidence = refused.value.evidence
    assert (evidence["seconds"], evidence["healthy"], evidence["unhealthy"]) == (60, 1, 3)
    assert evidence["last"]["why"] == WHY


@pytest.mark.parametrize(("after", "ends_well"), [([UP], True), ([DOWN, UP], True), ([DOWN, DOWN], False)])
def test_a_watch_does_not_end_on_an_unhealthy_answer(stage, after, ends_well):
    ctx = stage(UP, UP, DOWN, *after, watch_seconds=20)

    if ends_well:
        assert Watch().run(ctx).evidence["last"]["is_healthy"]
    else:
        with pytest.raises(Unhealthy):
            Watch().run(ctx)

    assert ctx.application.connections == 3 + len(after)


def test_the_version_that_a_healthy_answer_carries_is_kept_and_recorded_when_it_changes(stage, rewards):
    place = rewards.staging.environment
    answers = [UP, UP, answering_json({"status": "up", "version": "2.4.2"}), answering_json({"status": "up"})]

    for answer in answers:
        CheckHealth().run(stage(answer, environment=place))
    with pytest.raises(Unhealthy):
        CheckHealth().run(stage(DOWN, environment=place))

    assert Environment.objects.get(pk=place.pk).application_version == "2.4.2"
    events = AuditEvent.objects.filter(action="environment.version-reported").order_by("seq")
    assert [(one.actor_name, one.before, one.after) for one in events] == [
        ("executor", "", "2.4.1"),
        ("executor", "2.4.1", "2.4.2"),
    ]


def test_the_application_is_asked_for_what_is_expected_of_it(stage, kept):
    ctx = stage(answering("up"))
    ctx.health = Expectation(ctx.application.url("/ready"), text="up")

    assert CheckHealth().run(ctx).summary.endswith(" ms.")
    assert ctx.application.requests[0].startswith("GET /ready HTTP/1.1\r\n")
    assert kept == []
