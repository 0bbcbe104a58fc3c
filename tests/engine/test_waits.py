"""What the guard sees stands in the progress of the step while the migration waits, not only afterwards."""

import re
import threading
from types import SimpleNamespace

import pytest

from deployments.models import Job, Step
from deployments.pipelines import waits
from deployments.pipelines.waits import WaitsTold
from deployments.postgres.guard import Bill, Endings
from deployments.services.progress import write_waits
from tests.engine.processes import eventually

PATIENT = {"LOCK_TIMEOUT": "60"}


def as_progress() -> dict:
    """What a guard tells."""
    return {"waits": Bill(waiting=3).as_progress(), "doing": []}


def told(job: Job) -> dict:
    return Step.objects.filter(job=job, name="migrate").values_list("progress", flat=True).first() or {}


def test_who_is_in_our_way_is_told_while_he_is_beside_the_statement_that_waits(rewards):
    with rewards.connect() as opened:
        opened.execute("CREATE TABLE ledger (id int)")
    rewards.write("001_points", "ALTER TABLE ledger ADD points int")
    rewards.sync()
    job = rewards.start(rewards.plan())
    with rewards.connect(application_name="report") as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT id FROM ledger")
        with rewards.executor(job, **PATIENT) as process:
            eventually(lambda: told(job).get("waits", {}).get("in_our_way"))
            seen = told(job)
            reader.execute("COMMIT")
            process.communicate(timeout=60)

    assert seen["waits"]["in_our_way"][0]["application"] == "report"
    assert seen["waits"]["in_our_way"][0]["query"] == "SELECT id FROM ledger"
    assert (seen["migration"], seen["statement"], seen["waits"]["waiting"]) == ("001_points", 1, 0)
    assert Job.objects.get(pk=job.pk).state == "succeeded"


def test_what_a_migration_was_stopped_for_is_what_stands_there(rewards):
    with rewards.connect() as opened:
        opened.execute("CREATE TABLE ledger (id int)")
    rewards.write("001_points", "ALTER TABLE ledger ADD points int; SELECT pg_sleep(60)")
    rewards.sync()
    job = rewards.start(rewards.plan())
    with rewards.executor(job) as process, rewards.connect(application_name="shop") as shop:
        eventually(lambda: told(job).get("statement") == 2)
        shop.execute("SELECT id FROM ledger")  # waits until the guard ends the migration
        process.communicate(timeout=60)

    ended = Job.objects.get(pk=job.pk)
    paid = told(job)["waits"]
    assert ended.error_code == "over-budget"
    assert paid["oldest_seconds"] > 1.0
    assert paid["oldest_seconds"] >= float(re.search(r"1 session \u00d7 ([\d.]+) s", ended.error)[1]) - 0.051
    bill = Step.objects.get(job=job, name="migrate").evidence["bill"]
    assert [one["query"] for one in bill["queries"]] == ["SELECT id FROM ledger"]
    assert [one["table"] for one in bill["tables"]] == ["public.ledger"]


def test_an_executor_that_lost_the_job_tells_nothing_more(rewards):
    rewards.write("001_points", "CREATE TABLE points (id int)")
    rewards.sync()
    job = rewards.execute(rewards.start(rewards.plan()))
    before = Step.objects.filter(job=job).values_list("progress", flat=True)
    kept, revision = list(before), job.run.revision

    for fence in (job.fence, job.fence + 1):
        write_waits(job, "migrate", Bill(waiting=3).as_progress(), fence=fence)

    assert list(before.all()) == kept
    job.run.refresh_from_db()
    assert job.run.revision == revision


def test_a_control_database_that_hangs_does_not_hold_up_the_end_of_a_migration(monkeypatch):
    """What it came to is told last, by a thread that is waited for only so long."""
    tellers: list[str] = []
    answers = threading.Event()

    def hang(*_: object, **__: object) -> None:
        tellers.append(threading.current_thread().name)
        answers.wait(60)

    monkeypatch.setattr(waits.Carrier, "carry", lambda _: None)
    monkeypatch.setattr(waits, "write_waits", hang)
    monkeypatch.setattr(waits, "TELLING_SECONDS", 3600.0)
    monkeypatch.setattr(waits, "PARTING_SECONDS", 0.05)
    with WaitsTold(Job(pk=1, fence=1), "migrate", SimpleNamespace(as_progress=as_progress, endings=Endings())):
        pass
    left_behind = [one for one in threading.enumerate() if one.name == "waits"]
    answers.set()
    for one in left_behind:
        one.join(60)

    assert len(left_behind) == 1
    assert tellers == ["waits"]


def test_a_machine_without_a_thread_to_give_does_not_stop_the_migration(monkeypatch):
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(waits, "write_waits", lambda *_, **__: pytest.fail("nobody is there to tell it"))
    with WaitsTold(Job(pk=1, fence=1), "migrate", SimpleNamespace(as_progress=as_progress, endings=Endings())):
        passed = True

    assert passed
