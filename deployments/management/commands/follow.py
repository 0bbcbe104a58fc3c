"""Watch a run until it is over or needs a person."""

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from deployments.management.base import Command as Base
from deployments.models import Job, MigrationRun, Step, StepLog
from deployments.selectors.runs import blocking_job, effect_of, unmet_of
from deployments.states import RUN_FINAL, JobState, RunState

LOOK_SECONDS = 0.2


class Command(Base):
    """Follow a run."""

    help = "Prints what a run does until it is over or needs a person; exits 1 unless it succeeded."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the run, and how long to wait for it."""
        parser.add_argument("run", type=int)
        parser.add_argument("--timeout", type=float, default=3600.0, metavar="SECONDS")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print states, steps and log lines as they come. Raises CommandError unless the run succeeds."""
        run = self.run(options["run"])
        self.printed: set[object] = set()
        deadline = time.monotonic() + options["timeout"]
        while True:
            run = MigrationRun.objects.get(pk=run.pk)
            self._print_new(run)
            if run.state in RUN_FINAL or run.state in {RunState.NEEDS_ATTENTION, RunState.AWAITING}:
                break
            if time.monotonic() > deadline:
                raise CommandError(f"Run {run} is still {run.state}. It goes on by itself; follow it again.")
            time.sleep(LOOK_SECONDS)
        if run.state != RunState.SUCCEEDED:
            raise CommandError(f"Run {run} is {run.state}.")

    def _print_new(self, run: MigrationRun) -> None:
        self._once(("run", run.state), f"Run {run}: {run.state}")
        for one in unmet_of(run) if run.state == RunState.AWAITING else ():
            self._once(one, f"  waits: {one.text}")
        for job in Job.objects.filter(run=run).select_related("database", "run"):
            if job.state == JobState.QUEUED and (other := blocking_job(job)):
                self._once(("waits", job.pk), f"  {job.database.name}: waits for run {other.run}")
            for line in StepLog.objects.filter(step__job=job).order_by("at", "number"):
                self._once(("line", line.pk), f"    {line.at:%H:%M:%S} {line.line}")
            for step in Step.objects.filter(job=job):
                self._once(
                    (step.pk, step.state), f"  {step.name} (attempt {step.attempt}): {step.state} {step.summary}"
                )
            self._once(("job", job.pk, job.state), f"  {job.database.name}: {job.state}, {effect_of(job)} {job.error}")

    def _once(self, key: object, text: str) -> None:
        if key not in self.printed:
            self.printed.add(key)
            self.stdout.write(text.rstrip())
