"""`make demo-kill`: what runs a backfill is killed in the middle of it, and the backfill goes on by itself."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from demo.desk import Desk
from demo.people import DANA, VERA
from demo.targets import PRODUCTION
from demo.teller import StoryBroken, Teller
from demo.telling import is_state
from deployments.models import Job, MigrationRun, Step, StepLog
from deployments.states import RUN_FINAL, RunState

FROM_THE_BEGINNING = PRODUCTION.ledger_rows // 2  # purchases that were there before anybody bought
ENOUGH_ROWS = FROM_THE_BEGINNING // 8  # to be in the middle
LOOK_SECONDS = 0.05
PATIENCE_SECONDS = 180
GONE_SECONDS = 10
PROGRESS = "SELECT coalesce(sum(keys), 0)::bigint FROM locktender.batch WHERE job = %s"
# The migration counts in `revision` how often it wrote a row.
WRITTEN = """
SELECT count(*) FILTER (WHERE revision = 1), count(*) FILTER (WHERE revision > 1),
       count(*) FILTER (WHERE revision = 0 AND id <= %s)
FROM transactions
"""


@dataclass(slots=True)
class Killing:
    """Kills what runs a backfill of production, and tells what becomes of it.

    `production` is a connection string, `demo` the process whose children the worker is one of. `meanwhile` is called
    again and again.
    """

    desk: Desk
    say: Teller
    production: str
    demo: int
    meanwhile: Callable[[], object] = lambda: None

    def tell(self, run: MigrationRun) -> None:
        """Have the run start if it still waits, kill in the middle of it, and follow it to its end.

        Raises StoryBroken.
        """
        self.say.chapter(
            f"Run {run}: {FROM_THE_BEGINNING:,} old rows, everybody works, and kill -9 in the middle of it"
        )
        if is_state(run, RunState.AWAITING):
            self.desk.have_approved(run)
            self.desk.start(DANA, run)
        job, page = self._until_in_the_middle(run)
        self.say.holds(
            "The old rows are written in batches, and its page says how far it is.",
            truth="rows gone through" in page and "left" in page,
            seen=page,
        )
        killed_at, victims = time.monotonic(), self._kill(job)
        came_to = self._rows(job)
        self.say.holds(
            f"Worker and executor are killed with kill -9, {len(victims)} processes, after {came_to:,} rows.",
            truth=not any(map(lives, victims)) and came_to < FROM_THE_BEGINNING,
            seen=(victims, came_to),
        )
        back: list[float] = []

        def watch() -> None:
            self.meanwhile()
            if not back and Job.objects.filter(pk=job.pk, claims__gt=job.claims).exists():
                back.append(time.monotonic() - killed_at)

        run = self.desk.follow(run, meanwhile=watch)
        went_on = StepLog.objects.filter(step__job=job, line__contains="going on after").exists()
        self.say.holds(
            f"{(back or [0.0])[0]:.0f} s later another executor took over by itself, and went on where the first was.",
            truth=is_state(run, RunState.SUCCEEDED) and bool(back) and went_on,
            seen=(run.state, run.jobs.get().error, back, went_on),
        )
        once, twice, never = self._written()
        self.say.holds(
            f"{twice} rows were written twice, {never} left out, of {once:,}: so say the rows themselves.",
            truth=(twice, never) == (0, 0) and once >= FROM_THE_BEGINNING,
            seen=(once, twice, never),
        )
        longest, allowed = longest_wait(run), run.plan["budget"]["oldest_seconds"]
        self.say.holds(
            f"Nobody waited for more than {longest:.2f} s of the {allowed} s allowed.",
            truth=longest <= allowed,
            seen=longest,
        )

    def _until_in_the_middle(self, run: MigrationRun) -> tuple[Job, str]:
        """Return the job when enough rows are written and the page says so, and the words of the page then."""
        until = time.monotonic() + PATIENCE_SECONDS
        with self.say.busy(f"Run {run} comes to its batches"):
            while time.monotonic() < until:
                job = Job.objects.get(run=run)
                if job.state in RUN_FINAL:
                    raise StoryBroken(f"Run {run} was {job.state} before anything could be killed: {job.error}")
                if self._rows(job) >= ENOUGH_ROWS and (pages := self._page(run)):
                    return job, pages
                self.meanwhile()
                time.sleep(LOOK_SECONDS)
        raise StoryBroken(f"Run {run} did not come to its batches within {PATIENCE_SECONDS} s.")

    def _page(self, run: MigrationRun) -> str:
        page = self.desk.see(VERA, f"/runs/{run.number}/").text
        return page if "rows gone through" in page else ""

    def _kill(self, job: Job) -> list[int]:
        """Kill the executor of a job, and the worker with its pool, and return their process ids."""
        _, _, executor = Job.objects.get(pk=job.pk).executor.rpartition("/")
        workers = [pid for pid in children(self.demo) if "celery" in words(pid)]
        pools = [child for pid in workers for child in children(pid)]
        victims = [*workers, *pools]
        if executor.isdigit() and "execute_job" in words(int(executor)):
            victims.append(int(executor))
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + GONE_SECONDS
        while any(map(lives, victims)) and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        if len(victims) == len(workers) + len(pools):
            raise StoryBroken(f"Executor {executor} of run {job.run_id} was not there any more.")
        return victims

    def _rows(self, job: Job) -> int:
        with psycopg.connect(self.production) as opened:
            found = opened.execute(PROGRESS, [job.pk]).fetchone()
        return int(found[0]) if found else 0

    def _written(self) -> tuple[int, int, int]:
        with psycopg.connect(self.production) as opened:
            return opened.execute(WRITTEN, [FROM_THE_BEGINNING]).fetchone()


def backfill() -> MigrationRun | None:
    """Return the newest run for production that has batches and is not over; None if there is none."""
    runs = MigrationRun.objects.select_related("environment").filter(environment__slug=PRODUCTION.environment)
    open_runs = runs.exclude(state__in=RUN_FINAL).order_by("-number")
    return next((run for run in open_runs if run.plan.get("batches")), None)


def longest_wait(run: MigrationRun) -> float:
    """Return how long the oldest waiting session waited for a run, in seconds, as its guard saw it."""
    step = Step.objects.filter(job__run=run, name="migrate").latest("attempt")
    return max((bill["oldest_seconds"] for bill in step.evidence["waits"].values()), default=0.0)


def words(pid: int) -> list[str]:
    """Return the arguments of a process; none of one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []


def children(pid: int) -> list[int]:
    """Return the processes that a process started and that have not ended."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                if int(parent) == pid and state != "Z":
                    found.append(int(folder.name))
    return found


def lives(pid: int) -> bool:
    """Return whether a process works; one that has ended and was not collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
