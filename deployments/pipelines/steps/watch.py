"""The step that stays with the application for a while after the change."""

import time
from dataclasses import dataclass
from datetime import timedelta

from checks.policy import LONGEST_WATCH_SECONDS
from deployments.pipelines.contract import StepContext, StepResult
from deployments.pipelines.steps.health import NOT_CONFIGURED, PROBES, told, unhealthy


@dataclass(frozen=True, slots=True)
class Watch:
    """Ask again and again, as long as the policy wants. A second attempt begins anew: meanwhile nobody looked."""

    name: str = "watch"
    timeout: timedelta = timedelta(seconds=LONGEST_WATCH_SECONDS) + timedelta(hours=1)

    def run(self, ctx: StepContext) -> StepResult:
        """Return how often the application was healthy. Raises Unhealthy when it is not three times in a row.

        A watch never ends on an unhealthy answer: it then goes on for one or two more, whatever they say.
        """
        seconds = ctx.plan["requirements"]["watch_seconds"]
        if not seconds:
            return StepResult("A watch is not asked by this policy.", is_skipped=True)
        if ctx.health is None:
            return StepResult(NOT_CONFIGURED, is_skipped=True)
        until = time.monotonic() + seconds
        healthy = in_a_row = total = slowest = 0
        while True:
            ctx.control.require_may_start()
            reading = ctx.prober.ask(ctx.health)
            total += 1
            slowest = max(slowest, reading.milliseconds)
            if not reading.is_healthy or in_a_row:  # every change is in the log, and nothing else
                ctx.log(f"Probe {total}: {told(reading)}")
            healthy, in_a_row = (healthy + 1, 0) if reading.is_healthy else (healthy, in_a_row + 1)
            left = max(until - time.monotonic(), 0)
            counted = {"healthy": healthy, "unhealthy": total - healthy}
            ctx.progress({"seconds_left": round(left), **counted, "last": told(reading)})
            evidence = {"seconds": seconds, **counted, "slowest_ms": slowest, "last": reading.as_evidence()}
            if in_a_row == PROBES:
                raise unhealthy(ctx, reading, evidence=evidence)
            if not left and not in_a_row:
                return StepResult(f"Watched for {seconds} s: {healthy} of {total} answers were healthy.", evidence)
            pause = ctx.prober.interval.total_seconds()
            ctx.control.wait(min(pause, left) if left else pause)

    def settled(self, _ctx: StepContext) -> StepResult | None:
        """Nothing to settle: it only looks."""
        return None
