"""What an executor's link to the control database does when a step hangs."""

from datetime import timedelta

import pytest

from deployments.models import Job
from deployments.pipelines.control import HUNG_SECONDS, Control, LeaseLost, StepOverdue
from deployments.services.transition import claim_job
from tests.engine.conftest import actor
from tests.engine.processes import eventually

LEASE = timedelta(seconds=30)


@pytest.fixture
def control(rewards):
    """The link of an executor that holds a job."""
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()
    job = claim_job(rewards.start(rewards.plan()).pk, executor="one", lease=LEASE, actor=actor("dana"))
    with Control(job, lease=LEASE, heartbeat=timedelta(milliseconds=50), silence=LEASE) as opened:
        yield opened


def heartbeat():
    return Job.objects.get().heartbeat_at


def test_a_step_that_hangs_long_past_its_limit_lets_go_of_the_job(control):
    eventually(heartbeat)

    control.limit(timedelta(seconds=-HUNG_SECONDS - 1))

    def is_let_go():
        try:
            control.require_may_start()
        except LeaseLost:
            return True
        except StepOverdue:  # until the next beat
            return False
        return False

    eventually(is_let_go)


def test_a_step_that_is_only_late_keeps_the_job_until_it_notices(control):
    control.limit(timedelta(seconds=-1))
    first = heartbeat()

    eventually(lambda: heartbeat() != first)
