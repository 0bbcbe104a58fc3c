"""Dispatchers and workers tell that they work, and the health check of their container asks for it."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now

from controlplane.embedded import RedisServer
from deployments.models import WorkerBeat
from deployments.services.signs_of_life import name_here, tell
from tests.engine.processes import dispatcher, eventually, settled, worker


def is_alive(program: str) -> bool:
    try:
        call_command("alive", program)
    except CommandError:
        return False
    return True


@pytest.fixture
def redis(tmp_path: Path):
    with RedisServer(tmp_path / "redis") as server:
        yield server


def test_each_tells_of_itself_and_only_of_itself(rewards, redis):
    environment = rewards.environment | {"REDIS_URL": redis.url}
    assert not is_alive("dispatcher")

    with dispatcher(environment):
        eventually(lambda: is_alive("dispatcher"))
        assert not is_alive("worker")

    with worker(environment):
        eventually(lambda: is_alive("worker"))


@pytest.mark.parametrize("program", ["dispatcher", "worker"])
def test_an_old_sign_is_none(database, program):
    tell(name_here(program))
    assert is_alive(program)

    WorkerBeat.objects.update(beat_at=Now() - timedelta(minutes=1))

    with pytest.raises(CommandError, match=r"^no-sign-of-life: .* has not told the control database for 15 s"):
        call_command("alive", program)


def test_the_sign_of_another_machine_is_none(database):
    tell("dispatcher@elsewhere")

    assert not is_alive("dispatcher")


def test_a_dispatcher_is_not_taken_for_a_worker(rewards, redis):
    """Else it would leave its jobs to a queue that nobody reads."""
    tell(name_here("dispatcher"))
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()

    with dispatcher(rewards.environment | {"REDIS_URL": redis.url, "RESEND": "600"}):
        job = settled(rewards.start(rewards.plan()))

    assert job.state == "succeeded"
    assert not WorkerBeat.objects.filter(queue="jobs").exists()
