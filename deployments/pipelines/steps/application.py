"""The step of a way back that asks the deployment system for the earlier version of the application."""

import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings

from deployments.actors import EXECUTOR
from deployments.pipelines.contract import StepContext, StepResult
from deployments.pipelines.record import persist
from deployments.postgres.connect import read_secret
from deployments.postgres.errors import SecretMissing, SecretUnusable
from deployments.selectors.versions import Versions, versions_around
from deployments.services.health import keep_version

GOES_ON = "The way back goes on: roll the application back yourself if it needs what is taken away."
NO_KEY = "ROLLBACK_HOOK_KEY is not set, and nothing is told without a signature."


@dataclass(frozen=True, slots=True)
class TellDeployment:
    """Post, then wait for the earlier version, both within bounds. A second attempt posts again, under the same id.

    It succeeds only where the earlier version was seen to run. Whatever else comes of it is told, and holds nothing up.
    """

    name: str = "application"
    timeout: timedelta = timedelta(minutes=10)

    def run(self, ctx: StepContext) -> StepResult:
        """Return what came of it. Raises only what the control raises."""
        run = ctx.job.run
        if not run.environment.rollback_hook or run.reverts is None:
            return StepResult("No hook is named for this environment, so nobody was told.", is_skipped=True)
        if run.jobs.filter(position__lt=ctx.job.position).exists():
            return StepResult("Told with the first database of this run.", is_skipped=True)
        around = versions_around(run.reverts)
        reference = settings.CONFIGURATION.rollback_hook_key
        try:
            key = read_secret(reference) if reference else ""
        except (SecretMissing, SecretUnusable) as unusable:
            return _not_told(f"The key is not usable ({unusable.code}).", {})
        if not key:
            return _not_told(NO_KEY, {})
        body = message(ctx, around)
        told = ctx.prober.tell(run.environment.rollback_hook, body, signed(body, key, at=int(time.time())))
        evidence = {"hook": told.as_evidence() | {"from": around.now, "to": around.before}}
        if told.why:
            return _not_told(told.why, evidence)
        ctx.log(f"The deployment system took it with status {told.status} in {told.milliseconds} ms")
        return _awaited(ctx, around, evidence)

    def settled(self, _ctx: StepContext) -> StepResult | None:
        """Nothing to settle: whoever is told twice knows it by the id."""
        return None


def message(ctx: StepContext, around: Versions) -> bytes:
    """Return what is posted, as JSON. It holds nothing of the scripts and no secret."""
    run = ctx.job.run
    told = {
        "event": "rollback",
        "id": f"{ctx.control_plane_id}/{ctx.job.pk}",
        "environment": str(run.environment),
        "run": run.number,
        "reverts": run.reverts.number if run.reverts else None,
        "from_version": around.now,
        "to_version": around.before,
    }
    return json.dumps(told, sort_keys=True).encode()


def signed(body: bytes, key: str, *, at: int) -> dict[str, str]:
    """Return the headers of a message: when it was sent, in seconds, and HMAC-SHA256 over that, a dot and the body."""
    digest = hmac.new(key.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "Locktender-Timestamp": str(at),
        "Locktender-Signature": f"v1={digest}",
    }


def _not_told(why: str, evidence: dict[str, Any]) -> StepResult:
    return StepResult(
        f"The deployment system was not told, or did not take it. {why} {GOES_ON}", evidence, is_skipped=True
    )


def _awaited(ctx: StepContext, around: Versions, evidence: dict[str, Any]) -> StepResult:
    """Wait for the earlier version, as long as the server's settings say."""
    if not around.before or ctx.health is None or not ctx.health.version_path:
        taken = "The deployment system took it. Whether the earlier version runs by now: not measured."
        return StepResult(f"{taken} {GOES_ON}", evidence, is_skipped=True)
    began = time.monotonic()
    limit = settings.CONFIGURATION.rollback_hook_wait.total_seconds()
    while True:
        ctx.control.require_may_start()
        reading = ctx.prober.ask(ctx.health)
        waited = time.monotonic() - began
        evidence["version"] = {"seen": reading.version, "seconds": round(waited, 1)}
        if reading.version == around.before:
            persist(
                partial(keep_version, ctx.job.run.environment, around.before, actor=EXECUTOR), is_written=lambda: True
            )
            return StepResult(f"Version {reading.version} runs again, {waited:.0f} s after it was asked for.", evidence)
        if waited >= limit:
            runs = f"version {reading.version}" if reading.version else "a version that it does not tell"
            late = f"The deployment system took it, but {limit:.0f} s later {runs} runs. {GOES_ON}"
            return StepResult(late, evidence, is_skipped=True)
        ctx.progress({"doing": f"waits for version {around.before}, {waited:.0f} of {limit:.0f}\u00a0s"})
        ctx.control.wait(min(ctx.prober.interval.total_seconds(), limit - waited))
