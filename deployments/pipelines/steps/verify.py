"""Restoring a backup on the rehearsal server before anything is changed, to see that it is a way back."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from django.conf import settings

from checks.words import counted, listed
from deployments.actors import EXECUTOR
from deployments.artifacts import PARTIAL
from deployments.crash import crash_point
from deployments.errors import DeploymentError
from deployments.models import Backup, BackupCheck, Job
from deployments.models.backup import CheckOutcome
from deployments.pipelines.contract import StepContext, StepResult
from deployments.pipelines.observing import rehearsal_target_of
from deployments.pipelines.record import persist
from deployments.postgres.backup.archive import Manifest, compare_with_manifest
from deployments.postgres.backup.compare import Compared
from deployments.postgres.backup.filling import RestoreFailed
from deployments.postgres.backup.measure import ONE_IN, Limits
from deployments.postgres.backup.restore import Restored, RestoreWithoutRoom, restore_to
from deployments.postgres.backup.scratch import Purpose, Scratch, drop_leftovers, drop_scratch
from deployments.postgres.clients import asks_for_tls
from deployments.postgres.connect import DRIVER_ERROR, Target, session
from deployments.postgres.guard import free_disk_bytes, tells_disk
from deployments.selectors.backups import expected_seconds
from deployments.services.backups import note_check
from deployments.states import JobState

GB = 10**9
MOST_NAMED = 5
TRIED = (CheckOutcome.EQUAL, CheckOutcome.SAMPLED, CheckOutcome.RESTORED)


class BackupDiffers(DeploymentError):
    """A backup was restored, and is not what was dumped."""

    code = "backup-differs"

    def __init__(self, *, place: str, compared: Compared) -> None:
        told = "; ".join(compared.differences[:MOST_NAMED])
        more = len(compared.differences) - MOST_NAMED
        super().__init__(
            f"The backup in {place} was restored, and is not equal to what was dumped: {told}"
            f"{f' and {more} more' if more > 0 else ''}. It is no way back, and the target was not changed. "
            "Look at what is named here, then ask for a new run."
        )


def limits_of(ctx: StepContext) -> Limits:
    """Return up to which size of the database its rows are hashed, or a sample: 0 where nothing will be compared."""
    needs = ctx.plan["requirements"]
    whole = (needs.get("verified_backup_gb") or 0) * GB
    return Limits(whole, max(whole, (needs.get("sampled_backup_gb") or 0) * GB))


def verified(ctx: StepContext, kept: StepResult) -> StepResult:
    """Restore a backup that was kept, and compare it; return what is known then, or why it was not restored.

    What was restored by an earlier executor is not restored again. Raises RestoreFailed, RestoreWithoutRoom,
    BackupDiffers, BackupUnreadable, and what opening a session on the rehearsal server raises: a way back that was
    asked for and is not there stops the run before its first statement.
    """
    backup = Backup.objects.get(place=kept.evidence["place"])
    tried = backup.checks.filter(outcome__in=TRIED).order_by("-pk").first()
    if tried is not None:
        return _told(kept, tried)
    server = rehearsal_target_of(ctx.job.database)
    if why := _why_not(ctx, backup, server):
        return replace(kept, summary=f"{kept.summary} {why}", evidence=kept.evidence | {"not_restored": why})
    assert server is not None  # noqa: S101 # one of the reasons why not
    return _told(kept, _verify(ctx, backup, server))


def _why_not(ctx: StepContext, backup: Backup, server: Target | None) -> str:
    """Return why a backup is not restored, "" if it is."""
    limits = limits_of(ctx)
    if not limits.whole_bytes:
        return "Not restored: the policy does not ask for it."
    if server is None:
        return "Not restored: this environment names no rehearsal server to restore it on."
    content = compare_with_manifest(
        ctx.artifacts.path(backup.place), recorded=backup.manifest_sha256, stop=ctx.control
    ).content
    size = content["database"]["size_bytes"]
    if size > limits.sampled_bytes:
        return f"Not restored: {size / GB:,.1f} GB are more than the {limits.sampled_bytes / GB:,.0f} GB of the policy."
    plain, most = plain_bytes(content), settings.CONFIGURATION.restore_limit
    if plain > most:
        return f"Not restored: {plain / GB:,.1f} GB unpacked are more than RESTORE_LIMIT, {most / GB:,.1f} GB."
    return ""


def plain_bytes(content: Mapping[str, Any]) -> int:
    """Return how many bytes a backup has unpacked, by its manifest."""
    return sum(fact.get("plain_bytes", 0) for fact in content["files"].values())


def _verify(ctx: StepContext, backup: Backup, server: Target) -> BackupCheck:
    """Restore, compare, drop, and write down what came of it."""
    folder = ctx.artifacts.path(backup.place)
    manifest = compare_with_manifest(folder, recorded=backup.manifest_sha256, stop=ctx.control)
    name = ctx.holder.session_name
    if dropped := drop_leftovers(
        server, ctx.control_plane_id, purposes=[Purpose.VERIFY], is_alive=lambda *one: is_alive(ctx, *one), name=name
    ):
        ctx.log(f"Dropped what earlier executors had left on {server.name}: {', '.join(dropped)}")
    scratch = Scratch.named(ctx.control_plane_id, Purpose.VERIFY, job=ctx.holder.job, fence=ctx.holder.fence)
    ctx.log(f"Restoring it into {scratch} on {server.name}")
    try:
        restored = restored_into(ctx, server, manifest, str(scratch), backup)
    except (RestoreFailed, RestoreWithoutRoom) as failed:
        ctx.log(f"Not restored: {failed}")
        raise
    with suppress(DRIVER_ERROR, DeploymentError):  # else it is found by its name
        drop_scratch(server, scratch, name=name)
    return noted(ctx, backup, restored, server)


def noted(ctx: StepContext, backup: Backup, restored: Restored, server: Target) -> BackupCheck:
    """Write down what came of restoring a backup, and return it. Raises BackupDiffers if it is not what was dumped."""
    found = restored.compared.as_evidence() | {"seconds": restored.seconds, "on": server.name}
    crash_point("verified-unrecorded")
    compared = restored.compared
    if compared.differences:
        _note(ctx, backup, CheckOutcome.DIFFERENT, found)
        raise BackupDiffers(place=backup.place, compared=compared)
    reached = CheckOutcome.EQUAL if compared.is_equal else CheckOutcome.SAMPLED
    return _note(ctx, backup, CheckOutcome.RESTORED if compared.not_compared else reached, found)


def restored_into(ctx: StepContext, server: Target, manifest: Manifest, name: str, backup: Backup) -> Restored:
    """Restore a backup into a new database of that name on the rehearsal server. Raises as `restore_to` does."""
    is_protected = ctx.job.run.environment.is_protected
    with session(server, name=ctx.holder.session_name) as opened:
        newest = max(opened.info.server_version, manifest.content["server"]["version"])
        room = free_disk_bytes(opened) if tells_disk(opened) else None
    if room is None:
        ctx.log(f"How much room {server.name} has is not told: {plain_bytes(manifest.content):,} bytes are restored")
    client = ctx.clients.newest_for(newest, tls=asks_for_tls(server), is_protected=is_protected)
    unpacked = ctx.artifacts.path(f"{backup.place}-unpacked-{ctx.holder.fence}{PARTIAL}")
    return restore_to(
        server,
        ctx.holder,
        place=ctx.artifacts.path(backup.place),
        manifest=manifest,
        name=name,
        client=client,
        jobs=ctx.dump_jobs,
        into=unpacked,
        stop=ctx.control,
        progress=ctx.progress,
        log=ctx.log,
        keys=ctx.keys,
        room_bytes=room,
        expected=expected_seconds(backup),
        make_roles=ctx.job.database.connection != server.connection,
    )


def is_alive(ctx: StepContext, job: int, fence: int) -> bool:
    """Return whether the executor that made a database still has its job: it is not ours, and its lease is not over."""
    if job == ctx.holder.job:
        return fence >= ctx.holder.fence
    return Job.objects.filter(pk=job, fence=fence, state=JobState.RUNNING).exists()


def _note(ctx: StepContext, backup: Backup, outcome: CheckOutcome, found: dict[str, Any]) -> BackupCheck:
    made: list[BackupCheck] = []
    fence = ctx.holder.fence if backup.job_id == ctx.job.pk else None  # a rehearsal tries one of another job too
    persist(
        lambda: made.append(note_check(backup, outcome, found, actor=EXECUTOR, fence=fence)),
        is_written=backup.checks.filter(outcome=outcome).exists,
    )
    return made[0] if made else backup.checks.filter(outcome=outcome).latest("pk")


def _told(kept: StepResult, check: BackupCheck) -> StepResult:
    """Return what was kept, with how far it is proven now."""
    found = check.found
    seconds = sum(found["seconds"].values())
    restored = f"Restored on {found['on']} in {seconds:.0f} s"
    if check.outcome == CheckOutcome.EQUAL:
        told = f"{restored}, and equal: schema, and {found['rows']:,} rows by hash."
    elif check.outcome == CheckOutcome.SAMPLED:
        whole, sampled = found["tables"] - found["sampled_in_all"], found["sampled_in_all"]
        told = (
            f"{restored}, sampled: schema and the number of rows everywhere, {counted(whole, 'table')} by hash, and of "
            f"{counted(sampled, 'larger table')} one row in {ONE_IN}: {listed(found['sampled'], most=MOST_NAMED)}. "
            "What the sample leaves out was not compared."
        )
    else:
        told = f"{restored}. Not compared: {', '.join(found['not_compared'][:MOST_NAMED])}."
    return replace(
        kept, summary=f"{kept.summary} {told}", evidence=kept.evidence | {"level": check.outcome, "restored": found}
    )
