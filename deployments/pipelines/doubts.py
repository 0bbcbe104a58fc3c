"""Looking at the target of a job that needs attention, and keeping what it shows."""

from typing import Any

from deployments.models import Job, Script, Step
from deployments.models.run import RunKind
from deployments.pipelines.observing import target_of
from deployments.pipelines.steps.migrate import MIGRATE
from deployments.postgres.connect import Holder, session
from deployments.postgres.doubt import left_by
from deployments.postgres.history import HISTORIES
from deployments.postgres.ledger import FORWARD, ROLLBACK
from deployments.postgres.script import Script as Ready
from deployments.postgres.script import prepare


def look_at(job: Job) -> dict[str, Any]:
    """Return what the target of a job shows of it, as values. Nothing is changed there.

    Raises what opening a session and reading the layout's history raise, and the driver's errors.
    """
    target = target_of(job.database)
    last = Step.objects.filter(job=job, name=MIGRATE).order_by("-attempt").first()
    told = (last.progress.get("session") or {}) if last else {}
    with session(target) as opened:
        return left_by(
            opened,
            target,
            holder=Holder(run=job.run.number, job=job.pk, fence=job.fence or 0),
            history=HISTORIES[job.run.environment.application.layout],
            scripts=_scripts(job),
            transaction=str(told.get("transaction", "")),
        )


def _scripts(job: Job) -> list[Ready]:
    is_back = job.run.kind == RunKind.ROLLBACK
    return [
        prepare(
            Script.objects.get(pk=entry["rollback" if is_back else "forward"]).text(),
            migration=entry["name"],
            direction=ROLLBACK if is_back else FORWARD,
            checksum=entry["checksum"],
            script_sha256=entry["rollback" if is_back else "forward"],
        )
        for entry in job.run.plan["migrations"]
    ]
