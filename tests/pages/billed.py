"""A run that the guard stopped, with its bill, as an executor leaves it."""

from deployments.models import MigrationRun
from deployments.postgres.guard import Bill, Budget, Server
from deployments.postgres.guard.readings import Replica, Seen, Waiting
from deployments.postgres.stopped import OverBudget
from deployments.services.progress import write_waits
from deployments.states import JobState, StepState
from tests.deployments.cast import Cast
from tests.pages import made

READS = "SELECT balance, tier FROM points WHERE member = 4711 AND note = 'Ann''s own'"
WRITES = "UPDATE points SET balance = balance + 20 WHERE member = 4711 RETURNING balance"


def bill() -> Bill:
    """Return the bill of fourteen sessions that waited up to 0.9 s, one of them for a table with a long name."""
    seen = Bill()
    waits = [Waiting(100 + n, 1.0, 0.4 + n / 25, "app", "rewards", READS, None, "public.points") for n in range(12)]
    waits.append(Waiting(200, 1.0, 0.9, "app", "rewards", WRITES, None, "public.points"))
    waits.append(
        Waiting(201, 1.0, 0.9, "reporting_reader", "", "", None, "archive.points_of_members_who_left_before_the_merger")
    )
    seen.add(Seen(tuple(waits)))
    seen.add_server(Server(41, 97, (Replica("standby", 7, 0.2, 1_048_576),), 0, None))
    seen.judge(Budget(oldest_seconds=0.5), connections=100)
    return seen


def over_budget(cast: Cast) -> MigrationRun:
    """Return a run that was stopped in its first migration, and changed nothing."""
    acts = made.Executor(made.started(cast))
    step = acts.walk("migrate")
    paid = bill()
    write_waits(acts.job, "migrate", paid.as_progress(), fence=acts.fence)
    stopped = OverBudget(
        migration="20261101_points_currency",
        bill=str(paid),
        left="It changed nothing.",
        why=paid.over.text if paid.over else "",
        evidence={"bill": paid.as_evidence(), "waits": {"20261101_points_currency": paid.as_evidence()}},
    )
    acts.end(step, StepState.FAILED, summary=str(stopped), error_code=stopped.code, evidence=stopped.evidence)
    return acts.close(JobState.FAILED, error_code=stopped.code, error=str(stopped))
