"""The protocol of executors, played by chance on real models and a real target: claim, beat, take over, write, die.

Every step is done once, whoever dies or comes back whenever. The same game without the fence and the history row of the
target, as tools play it that write down afterwards what they did, does a step twice, and the game notices.
"""

import contextlib
import uuid
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from hypothesis.strategies import integers

from deployments.actors import EXECUTOR
from deployments.errors import DeploymentError
from deployments.models import Job, MigrationRun
from deployments.pipelines.observing import target_of
from deployments.postgres.connect import Holder, open_session
from deployments.postgres.errors import FenceLost
from deployments.postgres.ledger import Entry, entries_of_job, has_entry, raise_fence, write_entry
from deployments.postgres.sessions import take_over
from deployments.services import decide, pause
from deployments.services.lease import beat
from deployments.services.transition import Stale, claim_job, move_job
from deployments.states import OCCUPYING, JobState
from tests.engine.conftest import actor

LEASE = timedelta(hours=1)  # it runs out only when the game says so
AT_ONCE = timedelta(milliseconds=1)  # after a restart of the server nobody takes over for a whole lease
STEPS = ("001_one", "002_two", "003_three")
NOWHERE = (FenceLost, psycopg.Error)  # what a stale executor runs into
FROZEN = ("environment", "policy", "kind", "plan_text", "digest", "judgement", "requested_by", "reason")
WHICH = integers(0, 5)  # which executor acts; how many there are is nothing that a draw may depend on


def safely(rule):
    """Leave a rule out where executors write without a fence: what it does cannot change how that ends."""
    return precondition(lambda self: self.is_safe)(rule)


class Executor:
    """One process as far as the protocol sees it: what it claimed, and its session with an open transaction or not."""

    def __init__(self, job: Job, session: psycopg.Connection, *, is_safe: bool) -> None:
        self.job = job
        self.holder = Holder(run=job.run_id, job=job.pk, fence=job.fence or 0)
        self.session = session
        self.under_way = ""
        self.has_taken_over = not is_safe  # without a fence there is nothing to take over
        self.done: list[str] = []  # what it believes


class Protocol(RuleBasedStateMachine):
    """Claims, deaths and late writes in any order. `rewards`, its `planned` run and `is_safe` are set by the test."""

    rewards = None
    planned: dict[str, object] = {}  # replaced, never changed
    is_safe = True

    @initialize()
    def begin(self) -> None:
        run = MigrationRun.objects.create(**self.planned, request_key=uuid.uuid4())
        self.job = self.rewards.start(run)
        self.target = target_of(self.job.database)
        self.executors: list[Executor] = []
        self.looks = self.rewards.connect()

    def teardown(self) -> None:
        """End the run, so that the next game can begin: two open runs of one plan are refused."""
        if not hasattr(self, "looks"):
            return
        for one in self.executors:
            one.session.close()
        self.looks.execute("DELETE FROM marks")
        self.looks.close()
        going_on = {"pause_requested_at": None, "pause_requested_by": None, "pause_reason": ""}
        MigrationRun.objects.filter(pk=self.job.run_id, finished_at=None).update(**going_on)
        self.expire()
        last = claim_job(self.job.pk, executor="last", lease=AT_ONCE, actor=EXECUTOR)
        if last is not None:
            move_job(last, JobState.FAILED, actor=EXECUTOR)
        assert MigrationRun.objects.get(pk=self.job.run_id).finished_at

    @rule()
    def claim(self) -> None:
        if not self.is_safe:
            self.expire()  # what protects that game is the lease alone: it comes to the point where it runs out sooner
        claimed = claim_job(self.job.pk, executor="host/1", lease=AT_ONCE, actor=EXECUTOR)
        if claimed is not None:
            beat(claimed.pk, fence=claimed.fence, executor=claimed.executor, lease=LEASE)
            assert all(claimed.fence > one.job.fence for one in self.executors)
            name = Holder(run=claimed.run_id, job=claimed.pk, fence=claimed.fence).session_name
            session = open_session(self.target, name=name, autocommit=False)
            self.executors.append(Executor(claimed, session, is_safe=self.is_safe))

    @rule()
    def expire(self) -> None:
        """Let the lease run out, as if its holder was silent for long."""
        with connection.cursor() as cursor:
            cursor.execute("UPDATE deployments_job SET lease_until = '2000-01-01' WHERE state = 'running'")

    @safely
    @rule(which=WHICH)
    def beat(self, which) -> None:
        if one := self._one(which):
            answer = beat(one.job.pk, fence=one.holder.fence, executor=one.job.executor, lease=LEASE)
            newest = max(each.holder.fence for each in self.executors)
            assert not (answer.held and one.holder.fence < newest)

    @safely
    @rule(which=WHICH)
    def take_over(self, which) -> None:
        one = self._one(which)
        if one and not one.under_way:
            with contextlib.suppress(*NOWHERE), open_session(self.target, name=one.holder.session_name) as opened:
                take_over(opened, self.target, one.holder)
                one.has_taken_over = True

    @rule(which=WHICH)
    def write(self, which) -> None:
        """Do the next step, and leave its transaction open."""
        one = self._one(which)
        if not one or not one.has_taken_over or one.under_way or (step := self._next(one)) is None:
            return
        with contextlib.suppress(*NOWHERE):
            one.session.execute("SET LOCAL lock_timeout = '30ms'")
            if self.is_safe:
                raise_fence(one.session, self.target, one.holder)
                if has_entry(one.session, job=one.job.pk, migration=step, direction="forward"):
                    one.done.append(step)
                    one.session.rollback()
                    return
            one.session.execute("INSERT INTO marks VALUES (%s)", [step])
            if self.is_safe:
                write_entry(one.session, Entry(step, "forward", "", "", 1), one.holder, None)
            one.under_way = step
            return
        one.session.rollback() if not one.session.broken else None

    @rule(which=WHICH)
    def commit(self, which) -> None:
        one = self._one(which)
        if one and one.under_way:
            with contextlib.suppress(*NOWHERE):
                one.session.commit()
                one.done.append(one.under_way)
            one.under_way = ""

    @rule(which=WHICH)
    def die(self, which) -> None:
        if one := self._one(which):
            one.session.close()
            self.executors.remove(one)

    @safely
    @rule(which=WHICH)
    def end(self, which) -> None:
        """Record that everything is done: only who holds the job can, and only once everything is."""
        one = self._one(which)
        if one and self._next(one) is None and not one.under_way:
            with contextlib.suppress(Stale):
                move_job(one.job, JobState.SUCCEEDED, actor=EXECUTOR)

    @safely
    @rule()
    def ask_to_cancel(self) -> None:
        if not self.executors:
            return  # a game that ends before it begins is none
        with contextlib.suppress(DeploymentError):  # when it is over already, it is refused
            decide.request_cancel(self.job.run, actor=actor("dana"))

    @safely
    @rule()
    def ask_to_pause_or_to_go_on(self) -> None:
        run = MigrationRun.objects.get(pk=self.job.run_id)
        with contextlib.suppress(DeploymentError):  # the same
            if run.pause_requested_at is None:
                pause.request_pause(run, reason="A game", actor=actor("dana"))
            else:
                pause.resume(run, actor=actor("dana"))

    @safely
    @rule(which=WHICH)
    def rest(self, which) -> None:
        """Put the job back into the queue, as a pause is obeyed: only who holds it can."""
        one = self._one(which)
        if one and not one.under_way and MigrationRun.objects.get(pk=self.job.run_id).pause_requested_at:
            with contextlib.suppress(Stale):
                move_job(one.job, JobState.QUEUED, actor=EXECUTOR)

    @invariant()
    def every_step_was_done_once(self) -> None:
        if not hasattr(self, "looks"):
            return
        marks = [mark for (mark,) in self.looks.execute("SELECT step FROM marks").fetchall()]
        assert len(marks) == len(set(marks)), f"done twice: {marks}"
        if self.is_safe:
            entries = {name for name, _ in entries_of_job(self.looks, self.job.pk)}
            assert set(marks) == entries
            self._states_are_true(entries)

    def _states_are_true(self, entries: set[str]) -> None:
        """What succeeded is done, what runs is held, and what is paused was taken up by nobody from the queue."""
        job = Job.objects.get(pk=self.job.pk)
        assert job.state != JobState.RUNNING or (job.fence and job.lease_until)
        assert Job.objects.filter(database=job.database_id, state__in=sorted(OCCUPYING)).count() <= 1
        assert job.state != JobState.SUCCEEDED or entries == set(STEPS)

    def _one(self, which: int) -> Executor | None:
        return self.executors[which % len(self.executors)] if self.executors else None

    def _next(self, one: Executor) -> str | None:
        return next((step for step in STEPS if step not in one.done), None)


@pytest.fixture
def marked(rewards):
    """Staging with a table in which every run of a step leaves a mark."""
    rewards.write("001_marks", "CREATE TABLE marks (step text)")
    rewards.deploy()
    rewards.write("002_next", "CREATE TABLE next (id int)")
    rewards.sync()
    return rewards


def play(rewards, *, is_safe: bool, examples: int) -> None:
    """Play so many games. Each has a run of its own, frozen from one plan: to plan anew would be most of the work."""
    first = rewards.plan()
    planned = {name: getattr(first, name) for name in FROZEN}
    decide.request_cancel(first, actor=actor("dana"))
    # What is drawn follows from the name: with this one the game without fence goes wrong early.
    played = type("Match", (Protocol,), {"rewards": rewards, "is_safe": is_safe, "planned": planned})
    rules = settings(
        max_examples=examples,
        stateful_step_count=25,
        database=None,
        derandomize=True,
        phases=[Phase.generate],  # the first game that goes wrong is proof enough: to shrink it takes minutes
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(played, settings=rules)


def test_whoever_dies_or_comes_back_every_step_is_done_once(marked):
    play(marked, is_safe=True, examples=8)


def test_without_fence_and_history_row_a_step_is_done_twice_and_the_game_notices(marked):
    with pytest.raises(AssertionError, match="done twice"):
        play(marked, is_safe=False, examples=100)
