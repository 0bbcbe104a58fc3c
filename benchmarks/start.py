"""From the press of Start to the first step at work: with Redis and a worker, and without both.

The baseline is what nobody can avoid: the same press, and an executor that is started by hand at once. What is above it
is the way from the web process to the executor. Both moments are the control database's.
"""

import statistics
from collections.abc import Callable

import psycopg

from benchmarks.installation import Installation, say, started
from controlplane.embedded.children import Children

ROUNDS = 5
NOWHERE = "redis://127.0.0.1:9/0"
LEDGER = "CREATE TABLE ledger (id int)"


def main() -> None:
    """Measure the three, round by round, and print the ratios of the medians as the last line."""
    with started() as installation, Children() as children:
        bench = _Bench(installation, children)
        ways = {
            "by hand": bench.by_hand,
            "with Redis": bench.with_redis,
            "without Redis": bench.without_redis,
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(1, ROUNDS + 1):
            for name, way in ways.items():
                seconds[name].append(way())
            say(f"round {number}: " + ", ".join(f"{name} {taken[-1]:.2f} s" for name, taken in seconds.items()))
        hand, redis, alone = (statistics.median(taken) for taken in seconds.values())
        say(f"start: {redis / hand:.2f} of an executor started by hand with Redis, {alone / hand:.2f} without")


class _Bench:
    """One installation with its pages; each measurement brings the processes it is about."""

    def __init__(self, installation: Installation, children: Children) -> None:
        from benchmarks.ours import Ours  # noqa: PLC0415 # its imports need Django, set up by now
        from benchmarks.serving import Serving  # noqa: PLC0415 # the same

        with psycopg.connect(installation.target) as session:
            session.execute(LEDGER)
        self._installation = installation
        self._serving = Serving(installation, children)
        # The application whose health is asked is Locktender here.
        self._ours = Ours(installation, f"{self._serving.address}/livez")
        self._person = self._serving.sign_in()
        self._made = 0

    def by_hand(self) -> float:
        """Press, and start an executor at once."""
        return self._press(self._installation.execute)

    def with_redis(self) -> float:
        """Press while a dispatcher and a worker are there."""
        with self._serving.working("dispatcher", "worker"):
            return self._press(wait_for_end)

    def without_redis(self) -> float:
        """Press while there is a dispatcher alone, whose broker does not answer."""
        with self._serving.working("dispatcher", REDIS_URL=NOWHERE):
            return self._press(wait_for_end)

    def _press(self, drive: Callable[[int], None]) -> float:
        """Return the seconds from a press of Start to the first step at work; the run is driven to its end."""
        from benchmarks.serving import database_time  # noqa: PLC0415 # needs Django
        from deployments.models import Job, Step  # noqa: PLC0415 # needs Django

        self._made += 1
        run = self._ours.awaiting(f"made_{self._made}", verify="-- expect: 1\nSELECT 1")
        pressed = database_time()
        self._person.press(f"/runs/{run.number}/", "start", to=f"/runs/{run.number}/start/")
        job = Job.objects.get(run=run).pk
        drive(job)
        begun = Step.objects.get(job=job, name="preflight").started_at
        if begun is None:
            raise SystemExit(f"job {job} never began")
        return (begun - pressed).total_seconds()


def wait_for_end(job: int) -> None:
    """Return when a job is over."""
    from benchmarks.serving import until  # noqa: PLC0415 # needs Django
    from deployments.models import Job  # noqa: PLC0415 # needs Django

    until(Job.objects.filter(pk=job, finished_at__isnull=False).exists)
