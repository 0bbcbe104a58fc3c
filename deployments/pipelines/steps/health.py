"""The step that asks the application whether it is well after the change, and the refusal when it is not."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from deployments.actors import EXECUTOR
from deployments.errors import DeploymentError
from deployments.models.run import RunKind
from deployments.pipelines.contract import StepContext, StepResult
from deployments.pipelines.record import persist
from deployments.probe import Reading
from deployments.services.health import keep_version

PROBES = 3  # so many unhealthy answers, one after the other, make the application unhealthy
NOT_CONFIGURED = "No health check is configured for this environment: health was not measured."
STAYS = "The database keeps what this run committed. Look at the application, then repair it or ask for a way back."
STAYS_BACK = (
    "The database is rolled back and stays so. Look at the application: it may need what was taken away. Repair it, or "
    "deploy again."
)


class Unhealthy(DeploymentError):
    """The application was asked again and again, and is not well."""

    code = "unhealthy"

    def __init__(self, *, environment: str, why: str, before: str, is_way_back: bool, evidence: dict[str, Any]) -> None:
        self.evidence = evidence
        super().__init__(
            f"The application of {environment} was unhealthy in {PROBES} probes in a row. The last: {why} It {before}. "
            f"{STAYS_BACK if is_way_back else STAYS}"
        )


@dataclass(frozen=True, slots=True)
class CheckHealth:
    """Ask until one answer is healthy, at most three times. A second attempt asks again."""

    name: str = "health check"
    timeout: timedelta = timedelta(hours=1)  # of waiting between probes, mostly; each is bounded by itself

    def run(self, ctx: StepContext) -> StepResult:
        """Return the readings, and keep the version that a healthy answer carries. Raises Unhealthy."""
        if ctx.health is None:
            return StepResult(NOT_CONFIGURED, is_skipped=True)
        readings: list[Reading] = []
        while not readings or not readings[-1].is_healthy:
            if len(readings) == PROBES:
                raise unhealthy(ctx, readings[-1], evidence=_evidence(readings))
            if readings:
                ctx.control.wait(ctx.prober.interval.total_seconds())
            ctx.control.require_may_start()
            readings.append(ctx.prober.ask(ctx.health))
            ctx.log(f"Probe {len(readings)} of at most {PROBES}: {told(readings[-1])}")
            ctx.progress({"probe": len(readings), "of": PROBES, "last": told(readings[-1])})
        if version := readings[-1].version:
            environment = ctx.job.run.environment
            persist(lambda: keep_version(environment, version, actor=EXECUTOR), is_written=lambda: True)
        carried = f" Its version is {version}." if version else ""
        return StepResult(f"The application is {told(readings[-1])}{carried}", evidence=_evidence(readings))

    def settled(self, _ctx: StepContext) -> StepResult | None:
        """Nothing to settle: it only looks, and to store a version twice changes nothing."""
        return None


def unhealthy(ctx: StepContext, last: Reading, *, evidence: dict[str, Any]) -> Unhealthy:
    """Return the refusal, which compares with what preflight measured before anything was changed."""
    return Unhealthy(
        environment=str(ctx.job.run.environment),
        why=last.why,
        is_way_back=ctx.plan["kind"] == RunKind.ROLLBACK,
        before=_before(ctx.evidence_of("preflight").get("health")),
        evidence=evidence,
    )


def told(reading: Reading) -> str:
    """Return a reading in few words."""
    return f"healthy, {reading.milliseconds} ms." if reading.is_healthy else f"unhealthy: {reading.why}"


def _before(baseline: dict[str, Any] | None) -> str:
    if baseline is None:
        return "was not measured before"
    return "was healthy before" if baseline["is_healthy"] else "was unhealthy before as well"


def _evidence(readings: list[Reading]) -> dict[str, Any]:
    return {"readings": [one.as_evidence() for one in readings]}
