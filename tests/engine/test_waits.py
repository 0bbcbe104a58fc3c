"""What the guard sees stands in the progress of the step while the migration waits, not only afterwards."""

import re

from deployments.models import Job, Step
from deployments.postgres.guard import Bill
from deployments.services.progress import write_waits
from tests.engine.processes import eventually

PATIENT = {"LOCK_TIMEOUT": "60"}


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

    assert "report" in seen["waits"]["in_our_way"][0]
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
    assert paid["oldest_seconds"] >= float(re.search(r"the oldest ([\d.]+) s", ended.error)[1]) - 0.051


def test_an_executor_that_lost_the_job_tells_nothing_more(rewards):
    rewards.write("001_points", "CREATE TABLE points (id int)")
    rewards.sync()
    job = rewards.execute(rewards.start(rewards.plan()))
    before = Step.objects.filter(job=job).values_list("progress", flat=True)
    kept, revision = list(before), job.run.revision

    for fence in (job.fence, job.fence + 1):
        write_waits(job, Bill(waiting=3).as_progress(), fence=fence)

    assert list(before.all()) == kept
    job.run.refresh_from_db()
    assert job.run.revision == revision
