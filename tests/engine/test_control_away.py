"""A control database that takes nobody: what is under way is finished, nothing new begins, and nothing is doubled."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connections
from psycopg import sql

from deployments.models import Job
from deployments.pipelines.executor import execute
from tests.engine.conftest import SHORT_LEASE, Rewards, configured
from tests.engine.processes import eventually


@contextmanager
def away(superuser, control: str) -> Iterator[None]:
    """Let nobody into the control database for the length of the block, and end everybody who is in it."""
    door = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    superuser.execute(door.format(sql.Identifier(control), sql.SQL("false")))
    superuser.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [control])
    try:
        yield
    finally:
        superuser.execute(door.format(sql.Identifier(control), sql.SQL("true")))
        for connection in connections.all():
            connection.close()


def is_asleep(rewards: Rewards) -> bool:
    with rewards.connect() as opened:
        sleeping = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
        return opened.execute(sleeping).fetchone() is not None


@pytest.fixture
def job(rewards) -> Job:
    rewards.write("001_ledger", "SELECT pg_sleep(3); CREATE TABLE ledger (id int)")
    rewards.write("002_users", "CREATE TABLE users (id int)")
    rewards.sync()
    return rewards.start(rewards.plan())


def test_the_transaction_under_way_is_finished_nothing_begins_and_afterwards_it_goes_on(
    rewards, superuser, database, job
):
    with rewards.executor(job) as process:
        eventually(lambda: is_asleep(rewards))
        with away(superuser, database):
            eventually(lambda: rewards.history() == [("001_ledger", "forward")])
            assert rewards.tables() == {"ledger"}, "something was begun without the control database"
        process.communicate(timeout=60)

    job = Job.objects.get(pk=job.pk)
    assert (job.state, job.applied, job.claims) == ("succeeded", 2, 1), job.error
    assert rewards.history() == [("001_ledger", "forward"), ("002_users", "forward")]


def test_after_its_silence_an_executor_undoes_what_is_under_way_and_ends_and_another_does_it_once(
    rewards, superuser, database, job
):
    with rewards.executor(job, **SHORT_LEASE) as process:
        eventually(lambda: is_asleep(rewards))
        with away(superuser, database):
            process.communicate(timeout=60)
            assert (rewards.tables(), rewards.history()) == (set(), [])

    with configured(rewards.environment):
        eventually(lambda: execute(job.pk))
    job = Job.objects.get(pk=job.pk)
    assert (job.state, job.applied, job.claims) == ("succeeded", 2, 2), job.error
    assert rewards.history() == [("001_ledger", "forward"), ("002_users", "forward")]
