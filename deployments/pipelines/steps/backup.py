"""The step that dumps the target before anything changes it, and what it shares with keeping a part of one."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from checks.policy.backups import PG_DUMP
from deployments.actors import EXECUTOR
from deployments.crash import crash_point
from deployments.errors import DeploymentError
from deployments.models import Backup
from deployments.models.backup import BackupLevel, BackupScope
from deployments.pipelines.contract import PlanMoved, StepContext, StepResult
from deployments.pipelines.record import persist
from deployments.pipelines.steps.driven import driven, driver_of
from deployments.pipelines.steps.kept import found_place, place_of_job
from deployments.pipelines.steps.verify import limits_of, verified
from deployments.pipelines.waits import WaitsTold, billed
from deployments.postgres.backup.archive import DUMP, Manifest, read_to_end, write_manifest
from deployments.postgres.backup.dump import Dumped, dump
from deployments.postgres.backup.exported import Exported
from deployments.postgres.backup.measure import Limits, Table
from deployments.postgres.clients import Client, asks_for_tls
from deployments.postgres.guard import Budget, Guard
from deployments.services.backups import keep_backup

FORMAT = 2
MOST_NAMED = 20  # tables that evidence names; the manifest has them all
STEPS = {BackupScope.DATABASE: "backup", BackupScope.TABLES: "keep"}  # whose progress says who waits for the dump


@dataclass(frozen=True, slots=True)
class BackUp:
    """Dump the target. A second attempt makes a new dump and removes the unfinished one."""

    name: str = "backup"
    timeout: timedelta = timedelta(hours=6)

    def run(self, ctx: StepContext) -> StepResult:
        """Return where the dump is and what is in it. Raises why there is none; the target was not changed."""
        if not ctx.plan["requirements"]["backup"]:
            return StepResult(is_skipped=True, summary="The policy asks for no backup here: none was made.")
        if driver_of(ctx) != PG_DUMP:
            return driven(ctx)
        return verified(ctx, found_backup(ctx, BackupScope.DATABASE) or make_backup(ctx, BackupScope.DATABASE))

    def settled(self, ctx: StepContext) -> StepResult | None:
        """Done exactly if a place of this job is complete, and every file in it is as its manifest says."""
        if not ctx.plan["requirements"]["backup"] or driver_of(ctx) != PG_DUMP:
            return None  # what a driver made is found by the step when it is taken again
        found = found_backup(ctx, BackupScope.DATABASE)
        return None if found is None else verified(ctx, found)


def make_backup(ctx: StepContext, scope: BackupScope, *, only: Sequence[Table] | None = None) -> StepResult:
    """Dump the target, or `only` these tables, read the dump to its end, and keep it. Return what was kept.

    The guard watches the dump by the budget of the plan. Raises what choosing the client, opening a session, pg_dump
    and the guard raise, BackupUnreadable, ArtifactsFull, ArtifactsNotWritable, and PlanMoved if the connection leads to
    another database than planned.
    """
    place = f"{place_of_job(ctx)}/fence-{ctx.holder.fence}"
    seal = ctx.keys.new_seal() if ctx.job.run.environment.is_protected else None
    budget = Budget.planned(ctx.plan["budget"])
    watch = Guard(ctx.target, ctx.holder, budget=budget, interval=ctx.guard_interval, stop=ctx.control)
    with ctx.artifacts.writing(place) as folder:
        with watch as guard, WaitsTold(ctx.job, STEPS[scope], guard):
            try:
                dumped = dump(
                    ctx.target,
                    ctx.holder,
                    choose=lambda exported: _choose(ctx, exported),
                    folder=folder / DUMP,
                    jobs=ctx.dump_jobs,
                    stop=ctx.control,
                    guard=guard,
                    progress=lambda told: ctx.progress({**told, **guard.as_progress()}),
                    log=ctx.log,
                    only=only,
                    limits=limits_of(ctx) if scope is BackupScope.DATABASE else Limits(),
                    seal=seal,
                )
            except DeploymentError as stopped:
                billed(stopped, bill=guard.bill.as_evidence())
                raise
        ctx.log(f"Dumped with pg_dump {dumped.client.version} in {dumped.seconds:.1f} s; reading it to the end")
        crash_point("backup-dumped")
        started = time.monotonic()
        read_to_end(folder, dumped.client, dumped.files, jobs=ctx.dump_jobs, seal=seal, stop=ctx.control)
        content = _content(ctx, scope, dumped, reading=time.monotonic() - started)
        manifest = write_manifest(folder, content | ({} if seal is None else {"encryption": seal.told}))
    crash_point("backup-unrecorded")
    kept = _keep(ctx, place, manifest)
    return replace(kept, evidence=kept.evidence | {"waits": {"The dump": guard.bill.as_evidence()}})


def found_backup(ctx: StepContext, scope: BackupScope) -> StepResult | None:
    """Return what an earlier executor of this job kept and is still sound, recorded if it was not yet, or None."""
    found = found_place(ctx, scope)
    return None if found is None else _keep(ctx, *found)


def _choose(ctx: StepContext, exported: Exported) -> Client:
    """Return the programs to use on what the connection leads to, if that is the database of the plan."""
    planned, found = ctx.planned_database, exported.identity
    if (found.system_identifier, found.database_name) != (planned["system_identifier"], planned["database_name"]):
        raise PlanMoved(target=ctx.target.name, what=f"it is now {found}")
    is_protected = ctx.job.run.environment.is_protected
    return ctx.clients.newest_for(exported.server_version, tls=asks_for_tls(ctx.target), is_protected=is_protected)


def _content(ctx: StepContext, scope: BackupScope, dumped: Dumped, *, reading: float) -> dict[str, Any]:
    """Return what the manifest says."""
    return dumped.as_manifest() | {
        "format": FORMAT,
        "run": ctx.job.run.number,
        "job": ctx.job.pk,
        "fence": ctx.holder.fence,
        "target": ctx.target.name,
        "scope": str(scope),
        "seconds": {"dump": round(dumped.seconds, 3), "read": round(reading, 3)},
        "measuring_seconds": round(dumped.measured.seconds, 3),  # while it was dumped
    }


def _keep(ctx: StepContext, place: str, manifest: Manifest) -> StepResult:
    """Record a complete place and return the result of the step that made it."""
    content = manifest.content

    def write() -> None:
        keep_backup(
            ctx.job,
            fence=ctx.holder.fence,
            scope=BackupScope(content["scope"]),
            place=place,
            level=BackupLevel.READABLE,
            size_bytes=manifest.bytes,
            files=manifest.files,
            snapshot_at=datetime.fromisoformat(content["snapshot"]["at"]),
            snapshot_lsn=content["snapshot"]["lsn"],
            server_version=content["server"]["version"],
            client_version=content["client"]["version"],
            manifest_sha256=manifest.sha256,
            actor=EXECUTOR,
        )

    persist(write, is_written=Backup.objects.filter(place=place).exists)
    rows = content["rows"]
    counted = [count for count in rows.values() if count is not None]
    missing = sorted(name for name, count in rows.items() if count is None)
    what = "1 table" if len(rows) == 1 else f"{len(rows)} tables"
    return StepResult(
        summary=(
            f"{what}, {sum(counted):,} rows{' counted' if missing else ''}, {manifest.bytes:,} bytes, dumped and read "
            f"to the end. In {place}."
        ),
        evidence={
            "place": place,
            "scope": content["scope"],
            "level": str(BackupLevel.READABLE),
            "bytes": manifest.bytes,
            "files": manifest.files,
            "manifest_sha256": manifest.sha256,
            "snapshot_at": content["snapshot"]["at"],
            "snapshot_lsn": content["snapshot"]["lsn"],
            "client_version": content["client"]["version"],
            "compression": content["client"]["compression"],
            "seconds": content["seconds"],
            "measuring_seconds": content.get("measuring_seconds"),
            "key_id": content.get("encryption", {}).get("key_id", ""),
            "tables": len(rows),
            "rows": sum(counted),
            "rows_not_measured": missing[:MOST_NAMED],
            "tables_not_measured": len(missing),
        },
    )
