"""From `kill -9` of an executor in the middle of a statement to its successor at work, with the timings of production.

The baseline is the lease: before it has run out nobody may take over, however quick the rest is.
"""

import os
import signal
import statistics

from benchmarks.installation import Installation, say, started
from controlplane.embedded.children import Children

KILLS = 40
AIM_SECONDS = 45.0
SLEEPS = "SELECT pg_sleep(2)"


def main(kills: str = str(KILLS)) -> None:
    """Kill so many executors, and print the longest time without one against the aim as the last line."""
    with started() as installation, Children() as children:
        bench = _Bench(installation, children)
        gaps: list[float] = []
        while len(gaps) < int(kills):
            gaps.append(bench.gap())
            say(f"kill {len(gaps)}: {gaps[-1]:.1f} s")
        lease = bench.lease_seconds
        say(f"median {statistics.median(gaps):.1f} s, most {max(gaps) / lease:.2f} of the lease of {lease:.0f} s")
        say(f"takeover: at most {max(gaps):.1f} s in {len(gaps)} kills, of {AIM_SECONDS:.0f} s allowed")


class _Bench:
    def __init__(self, installation: Installation, children: Children) -> None:
        from django.conf import settings  # noqa: PLC0415 # set up by now

        from benchmarks.ours import Ours  # noqa: PLC0415 # the same
        from benchmarks.serving import Serving  # noqa: PLC0415 # the same

        self.lease_seconds = settings.CONFIGURATION.lease.total_seconds()
        self._serving = Serving(installation, children)
        self._ours = Ours(installation, "", rules={})
        self._made = 0

    def gap(self) -> float:
        """Return the seconds from the kill to the first act of the successor, by the control database's clock."""
        from benchmarks.serving import database_time, until  # noqa: PLC0415 # needs Django
        from deployments.models import Job, Step  # noqa: PLC0415 # needs Django

        self._made += 1
        number = self._ours.queued(f"slow_{self._made}", forward=SLEEPS)
        with self._serving.working("dispatcher", "worker"):
            until(Step.objects.filter(job=number, name="migrate", progress__has_key="statement").exists)
            job = Job.objects.get(pk=number)
            killed = database_time()
            os.kill(int(job.executor.rpartition("/")[2]), signal.SIGKILL)
            # It holds a step only after it has ended its predecessor's sessions on the target.
            until(Step.objects.filter(job=number, fence__gt=job.fence).exists, seconds=4 * self.lease_seconds)
            acted = database_time()
            until(Job.objects.filter(pk=number, state="succeeded").exists, seconds=4 * self.lease_seconds)
        return (acted - killed).total_seconds()
