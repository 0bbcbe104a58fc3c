"""A drain lets what runs come to its end and begins nothing; after an outage nobody is taken over for a lease."""

import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, OperationalError, connection, transaction

from deployments.actors import COMMAND_LINE, EXECUTOR
from deployments.authority import NotAllowed
from deployments.dispatch import Dispatcher
from deployments.models import AuditEvent, Drain, Job
from deployments.services.drain import DrainReasonMissing, NotDraining, begin_drain, end_drain
from deployments.services.transition import claim_job, move_job
from deployments.states import JobState
from tests.engine.conftest import actor


def started(rewards) -> Job:
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()
    return rewards.start(rewards.plan())


@pytest.fixture
def driven(monkeypatch) -> list[int]:
    """The jobs that a dispatcher has had driven."""
    jobs: list[int] = []
    monkeypatch.setattr(Dispatcher, "_drive", lambda _self, job, **_: jobs.append(job))
    return jobs


def silence(job: Job) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE deployments_job SET sent_at = NULL, lease_until = clock_timestamp() - interval '1 s' WHERE id = %s",
            [job.pk],
        )


def test_what_is_queued_waits_for_the_end_of_a_drain_and_then_begins(rewards, driven):
    job = started(rewards)
    begin_drain(reason="Version 2", actor=actor("lee"))

    Dispatcher().sweep()
    assert driven == []
    assert rewards.execute(job).state == "queued", "a message that was sent before must not begin it either"
    assert rewards.tables() == set()

    end_drain(actor=actor("lee"))
    Dispatcher().sweep()
    assert driven == [job.pk]
    assert rewards.execute(job).state == "succeeded"
    assert [(one.action, one.reason) for one in AuditEvent.objects.filter(action__startswith="drain.")] == [
        ("drain.begun", "Version 2"),
        ("drain.ended", ""),
    ]


def test_what_runs_goes_on_and_a_lost_executor_is_replaced(rewards, driven, settings):
    job = claim_job(started(rewards).pk, executor="one", lease=settings.CONFIGURATION.lease, actor=EXECUTOR)
    begin_drain(reason="Version 2", actor=COMMAND_LINE)
    silence(job)

    Dispatcher().sweep()

    assert driven == [job.pk]


def test_a_drain_is_begun_once_by_who_may_and_ended_once(rewards):
    with pytest.raises(NotAllowed):
        begin_drain(reason="Please", actor=actor("noor"))
    with pytest.raises(DrainReasonMissing):
        begin_drain(reason=" ", actor=actor("lee"))
    first = begin_drain(reason="Version 2", actor=actor("lee"))
    assert begin_drain(reason="Another", actor=COMMAND_LINE).pk == first.pk
    with pytest.raises(IntegrityError), transaction.atomic():
        Drain.objects.create(reason="A second one")
    end_drain(actor=actor("lee"))
    with pytest.raises(NotDraining):
        end_drain(actor=actor("lee"))


def test_the_command_waits_until_nothing_runs(rewards, settings, capsys, monkeypatch):
    job = claim_job(started(rewards).pk, executor="one", lease=settings.CONFIGURATION.lease, actor=EXECUTOR)
    looked = threading.Event()

    def ends_meanwhile(_seconds: float) -> None:
        if not looked.is_set():
            looked.set()
            move_job(job, JobState.FAILED, actor=EXECUTOR, error_code="x", error="x")

    monkeypatch.setattr("deployments.management.commands.drain.time.sleep", ends_meanwhile)

    call_command("drain", "--reason", "Version 2", "--wait")

    told = capsys.readouterr().out
    assert f"Still running: {job}." in told
    assert told.splitlines()[-1] == "Drained: nothing runs. New jobs wait until `manage.py undrain`."
    call_command("undrain")
    with pytest.raises(CommandError, match="not-draining"):
        call_command("undrain")


def test_after_an_outage_a_dispatcher_gives_executors_a_lease_before_it_has_them_replaced(
    rewards, driven, settings, monkeypatch
):
    """As when a standby takes the server's place: it has been up for long, and no executor could reach it."""
    job = claim_job(started(rewards).pk, executor="one", lease=settings.CONFIGURATION.lease, actor=EXECUTOR)
    silence(job)
    dispatcher, sweep = Dispatcher(), Dispatcher.sweep
    outages = iter([OperationalError("the server went away")])

    def away_once(self: Dispatcher) -> None:
        for outage in outages:
            raise outage
        sweep(self)
        self.stop()

    monkeypatch.setattr(Dispatcher, "sweep", away_once)
    dispatcher.run()
    assert driven == []

    dispatcher._takes_over_from = 0.0  # noqa: SLF001 # a lease later
    sweep(dispatcher)
    assert driven == [job.pk]
