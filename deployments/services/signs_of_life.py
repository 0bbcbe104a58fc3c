"""Signs of life: workers and dispatchers tell the control database that they work, and others ask whether they did."""

import socket
from datetime import timedelta

from django.db.models.functions import Now

from deployments.errors import DeploymentError
from deployments.models import WorkerBeat

INTERVAL_SECONDS = 2.0  # nobody tells it more often
GRACE = timedelta(seconds=15)  # who told nothing for so long is gone
NO_QUEUE = ""  # of a dispatcher: it takes nothing from one


class NoSignOfLife(DeploymentError):
    """A worker or dispatcher has not told for too long that it works."""

    code = "no-sign-of-life"

    def __init__(self, *, name: str, within: timedelta) -> None:
        super().__init__(
            f"{name} has not told the control database for {within.total_seconds():g} s that it works. What runs on a "
            "target is not harmed by that. Read its log; if it hangs, start it again."
        )


def name_here(program: str) -> str:
    """Return the name of a program on this machine, `worker` or `dispatcher`; a worker's is the one Celery gives it."""
    return f"{'celery' if program == 'worker' else program}@{socket.gethostname()}"


def tell(name: str, *, queue: str = NO_QUEUE) -> None:
    """Store that this worker or dispatcher is alive now. Raises what the driver raises while the database is away."""
    WorkerBeat.objects.update_or_create(worker=name, defaults={"queue": queue, "beat_at": Now()})


def require_sign_of_life(name: str, *, within: timedelta = GRACE) -> None:
    """Return if there is a sign of life that is not older, by the time of the control database. Raises NoSignOfLife."""
    if not WorkerBeat.objects.filter(worker=name, beat_at__gt=Now() - within).exists():
        raise NoSignOfLife(name=name, within=within)
