"""From the press of Cancel to the end of the statement in the target: by the page, and by hand.

By hand is what a DBA does who sits in front of the session: pg_cancel_backend, at once.
"""

import statistics
from contextlib import closing

import psycopg
from psycopg import Connection

from benchmarks.installation import Installation, say, started
from controlplane.embedded.children import Children

ROUNDS = 20
AIM_SECONDS = 2.0  # for 95 of 100
SLEEPS = "SELECT pg_sleep(120)"
AT_WORK = f"SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query = '{SLEEPS}'"  # noqa: S608


def main(rounds: str = str(ROUNDS)) -> None:
    """Measure both, round by round, and print the 95th percentile against its aim as the last line."""
    with started() as installation, Children() as children:
        bench = _Bench(installation, children)
        by_hand: list[float] = []
        by_page: list[float] = []
        for number in range(1, int(rounds) + 1):
            by_hand.append(bench.by_hand())
            by_page.append(bench.by_page())
            say(f"round {number}: by hand {by_hand[-1]:.3f} s, by the page {by_page[-1]:.3f} s")
        p95 = statistics.quantiles(by_page, n=20, method="inclusive")[-1] if len(by_page) > 1 else by_page[0]
        hand, page = statistics.median(by_hand), statistics.median(by_page)
        say(f"medians: by hand {hand:.3f} s, by the page {page:.3f} s")
        say(f"cancel: p95 {p95:.2f} s, most {max(by_page):.2f} s, of {AIM_SECONDS:.0f} s allowed")


class _Bench:
    def __init__(self, installation: Installation, children: Children) -> None:
        from benchmarks.ours import Ours  # noqa: PLC0415 # its imports need Django, set up by now
        from benchmarks.serving import Serving  # noqa: PLC0415 # the same

        self._installation = installation
        self._serving = Serving(installation, children)
        self._ours = Ours(installation, "", rules={})
        self._person = self._serving.sign_in()
        self._made = 0

    def by_hand(self) -> float:
        """Return the seconds from pg_cancel_backend to the end of the statement."""
        with closing(self._looks()) as session, self._looks() as looks:
            session.pgconn.send_query(SLEEPS.encode())
            session.pgconn.flush()
            pid = _at_work(looks)
            began = _now(looks)
            looks.execute("SELECT pg_cancel_backend(%s)", [pid])
            return _until_over(looks) - began

    def by_page(self) -> float:
        """Return the same from when the form is sent."""
        from benchmarks.serving import until  # noqa: PLC0415 # needs Django
        from deployments.models import Job  # noqa: PLC0415 # needs Django

        self._made += 1
        name = f"slow_{self._made}"
        job = self._ours.queued(name, forward=SLEEPS)
        run = Job.objects.get(pk=job).run
        with self._serving.working("dispatcher", "worker"), self._looks() as looks:
            _at_work(looks)
            page = f"/runs/{run.number}/cancel/"
            fields = self._person.get(page).form("cancel")
            began = _now(looks)
            self._person.post(page, fields)
            seconds = _until_over(looks) - began
            until(Job.objects.filter(pk=job, state="cancelled").exists)
        self._ours.forget(name)
        return seconds

    def _looks(self) -> Connection[tuple[object, ...]]:
        return psycopg.connect(self._installation.target, autocommit=True)


def _at_work(looks: Connection[tuple[object, ...]]) -> object:
    from benchmarks.serving import until  # noqa: PLC0415 # needs Django

    until(lambda: looks.execute(AT_WORK).fetchone() is not None)
    row = looks.execute(AT_WORK).fetchone()
    return row[0] if row else None


def _until_over(looks: Connection[tuple[object, ...]]) -> float:
    """Return when the statement was seen to be over, in seconds of the target's clock."""
    from benchmarks.serving import until  # noqa: PLC0415 # needs Django

    until(lambda: looks.execute(AT_WORK).fetchone() is None, look=0.005)
    return _now(looks)


def _now(looks: Connection[tuple[object, ...]]) -> float:
    row = looks.execute("SELECT extract(epoch FROM clock_timestamp())::float").fetchone()
    return float(str(row[0])) if row else 0.0
