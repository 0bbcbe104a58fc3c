"""Prisma and we on one database at the same time: one of the two waits or is refused, nothing happens twice."""

from functools import partial

import pytest

from deployments.models import Job
from deployments.pipelines.executor import execute
from deployments.planning import NothingToDo
from deployments.postgres.guard import Guard
from tests.engine.processes import eventually
from tests.prisma.cli import ended, stopped_at_last
from tests.prisma.conftest import GATE

FIRST, SECOND = "20260101000000_ledger", "20260102000000_points"


@pytest.fixture
def gated(shop):
    shop.write(FIRST, "CREATE TABLE ledger (id int); SELECT gate.wait();")
    shop.sync()
    return shop


def test_while_we_migrate_prisma_is_refused_and_afterwards_finds_nothing_to_do(gated):
    job = gated.start(gated.plan())
    with gated.closed_gate() as keeper, stopped_at_last(gated.executor(job)) as process:
        eventually(lambda: gated.is_at_the_gate(keeper))

        deploy = gated.prisma("deploy")
        assert (deploy.status, "P1002" in deploy.output) == (1, True), deploy.output

        keeper.execute("SELECT pg_advisory_unlock(%s)", [GATE])
        process.communicate(timeout=60)
    assert Job.objects.get(pk=job.pk).state == "succeeded"
    assert "No pending migrations to apply." in gated.prisma("deploy").output
    assert [row["migration_name"] for row in gated.rows()] == [FIRST]


def test_while_prisma_migrates_we_are_refused_and_afterwards_find_nothing_to_do(gated):
    job = gated.start(gated.plan())
    deploying = partial(gated.project.begin, "deploy", conninfo=gated.conninfo())
    with gated.closed_gate() as keeper, stopped_at_last(deploying()) as prisma:
        eventually(lambda: gated.is_at_the_gate(keeper))

        job = gated.execute(job)
        assert (job.state, job.error_code, job.applied) == ("failed", "layout-lock-held", 0), gated.output

        keeper.execute("SELECT pg_advisory_unlock(%s)", [GATE])
        deploy = ended(prisma)
    assert deploy.status == 0, deploy.output
    assert gated.history() == []
    assert gated.applied() == [FIRST]
    with pytest.raises(NothingToDo):
        gated.plan()


def test_what_prisma_did_while_we_waited_for_its_lock_is_seen_before_anything_runs(shop, monkeypatch):
    shop.write(FIRST, "CREATE TABLE ledger (id int);")
    shop.write(SECOND, "ALTER TABLE ledger ADD points int;")
    shop.sync()
    job = shop.start(shop.plan())
    take = Guard.hold_layout_lock

    def prisma_is_quicker(guard, key):
        shop.write(SECOND, "ALTER TABLE ledger ADD points bigint;")
        assert shop.prisma("deploy").status == 0
        take(guard, key)

    monkeypatch.setattr(Guard, "hold_layout_lock", prisma_is_quicker)
    execute(job.pk)

    job = Job.objects.select_related("run").get(pk=job.pk)
    assert (job.state, job.error_code, job.run.state) == ("cancelled", "plan-moved", "superseded")
    assert shop.history() == []
    assert shop.applied() == [FIRST, SECOND]
