"""The backup step where a driver makes the backup: a restore point, the driver's word, and what that does not prove."""

import hashlib
import json
import time
from datetime import datetime
from typing import Any

from django.conf import settings

from checks.policy.backups import PG_DUMP
from deployments.actors import EXECUTOR
from deployments.models import Backup
from deployments.models.backup import BackupLevel, BackupScope, CheckOutcome
from deployments.pipelines.contract import PlanMoved, StepContext, StepResult
from deployments.pipelines.record import persist
from deployments.pipelines.steps.kept import found_place, place_of_job
from deployments.postgres.backup.archive import DUMP, Manifest, write_manifest
from deployments.postgres.backup.command import Driver, DriverFailed, DriverUnknown
from deployments.postgres.backup.point import Point, make_point
from deployments.postgres.connect import session
from deployments.services.backups import keep_backup, note_check

FORMAT = 1
ANSWER = f"{DUMP}/answer.json"
LONGEST_VERSION = 40


def driver_of(ctx: StepContext) -> str:
    """Return the name of who makes the backup by this plan."""
    return str(ctx.plan["requirements"].get("backup_driver", PG_DUMP))


def configured(name: str) -> Driver:
    """Return the driver of that name, as the configuration of this process has it. Raises DriverUnknown."""
    drivers = settings.CONFIGURATION.backup_drivers
    if name not in drivers:
        raise DriverUnknown(name=name, known=sorted(drivers))
    told = drivers[name]
    return Driver(name, told.command, told.environment, told.timeout)


def driven(ctx: StepContext) -> StepResult:
    """Have the driver make a backup, keep its answer, and have it try the backup where it can and that is asked for.

    A second attempt takes what the first one has kept, else it asks again. Raises DriverUnknown, DriverUnusable,
    DriverFailed, PlanMoved, what opening a session raises, ArtifactsFull, ArtifactsNotWritable.
    """
    driver = configured(driver_of(ctx))
    place, manifest = found_place(ctx, BackupScope.SERVER) or _made(ctx, driver)
    backup = _keep(ctx, place, manifest)
    return _told(backup, manifest, _vouched(ctx, driver, backup, manifest))


def _made(ctx: StepContext, driver: Driver) -> tuple[str, Manifest]:
    """Make a restore point, ask the driver, and write its answer into a place of its own."""
    place = f"{place_of_job(ctx)}/fence-{ctx.holder.fence}"
    with ctx.artifacts.writing(place) as folder:
        with session(ctx.target, name=ctx.holder.session_name) as opened:
            point = make_point(opened, f"lkt_{ctx.control_plane_id.hex[:8]}_{ctx.holder.job}_{ctx.holder.fence}")
        _require_planned(ctx, point)
        ctx.log(_of_point(point))
        ctx.progress({"doing": f"waits for the backup driver {driver.name}"})
        started = time.monotonic()
        answer = driver.ask("backup", _question(ctx, point), stop=ctx.control)
        told = _read(driver, answer, point)
        text = json.dumps(answer, indent=1, sort_keys=True).encode()
        (folder / DUMP).mkdir(mode=0o700)
        (folder / ANSWER).write_bytes(text)
        fact = {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
        content = {
            "format": FORMAT,
            "run": ctx.job.run.number,
            "job": ctx.job.pk,
            "fence": ctx.holder.fence,
            "target": ctx.target.name,
            "scope": str(BackupScope.SERVER),
            "server": {
                "system_identifier": point.identity.system_identifier,
                "database_name": point.identity.database_name,
                "version": point.server_version,
            },
            "driver": {"name": driver.name, **told},
            "seconds": {"driver": round(time.monotonic() - started, 3)},
            "snapshot": {"at": point.at.isoformat(), "lsn": point.lsn},
            "files": {ANSWER: fact},
        }
        return place, write_manifest(folder, content)


def _require_planned(ctx: StepContext, point: Point) -> None:
    planned, found = ctx.planned_database, point.identity
    if (found.system_identifier, found.database_name) != (planned["system_identifier"], planned["database_name"]):
        raise PlanMoved(target=ctx.target.name, what=f"it is now {found}")


def _of_point(point: Point) -> str:
    if point.name:
        return f"Restore point {point.name} is at {point.lsn} in the write-ahead log"
    return f"No restore point was made by us ({point.why_not}): the driver is to name one. The log was at {point.lsn}"


def _question(ctx: StepContext, point: Point) -> dict[str, Any]:
    return {
        "environment": str(ctx.job.run.environment),
        "database": point.identity.database_name,
        "system_identifier": point.identity.system_identifier,
        "server_version": point.server_version,
        "run": ctx.job.run.number,
        "job": ctx.holder.job,
        "fence": ctx.holder.fence,
        "at": point.at.isoformat(),
        "lsn": point.lsn,
        "restore_point": point.name,
    }


def _read(driver: Driver, answer: dict[str, Any], point: Point) -> dict[str, Any]:
    """Return what is used of an answer. Raises DriverFailed if it is not as it should be."""
    read = "backup"
    named = driver.text(read, answer, "restore_point") or point.name
    if not named:
        why = f"its answer names no restore point, and none was made by us ({point.why_not})"
        raise DriverFailed(name=driver.name, phase=read, why=why)
    return {
        "restore_point": named,
        "is_ours": named == point.name,
        "backup": driver.text(read, answer, "backup"),
        "version": driver.text(read, answer, "version"),
        "said": driver.text(read, answer, "said"),
        "bytes": driver.size(read, answer, "bytes"),
        "verifies": driver.flag(read, answer, "verifies", default=False),
    }


def _keep(ctx: StepContext, place: str, manifest: Manifest) -> Backup:
    """Record what was made. What it has of bytes is the driver's word; the answer that is kept has a few itself."""
    content, told = manifest.content, manifest.content["driver"]

    def write() -> None:
        keep_backup(
            ctx.job,
            fence=ctx.holder.fence,
            scope=BackupScope.SERVER,
            place=place,
            level=BackupLevel.DRIVER,
            size_bytes=told["bytes"] or manifest.bytes,
            files=manifest.files,
            snapshot_at=datetime.fromisoformat(content["snapshot"]["at"]),
            snapshot_lsn=content["snapshot"]["lsn"],
            server_version=content["server"]["version"],
            client_version=(told["version"] or told["name"])[:LONGEST_VERSION],
            manifest_sha256=manifest.sha256,
            driver=told["name"],
            restore_point=told["restore_point"],
            actor=EXECUTOR,
        )

    persist(write, is_written=Backup.objects.filter(place=place).exists)
    return Backup.objects.get(place=place)


def _vouched(ctx: StepContext, driver: Driver, backup: Backup, manifest: Manifest) -> str:
    """Return what the driver says of having restored it; "" where it cannot, or the policy does not ask for that.

    Raises DriverFailed if it says that the backup cannot be restored.
    """
    told = manifest.content["driver"]
    if not told["verifies"] or ctx.plan["requirements"].get("verified_backup_gb") is None:
        return ""
    earlier = backup.checks.filter(outcome=CheckOutcome.VOUCHED).order_by("-pk").first()
    if earlier is not None:
        return str(earlier.found["said"])
    ctx.progress({"doing": f"waits for the backup driver {driver.name} to restore it"})
    asked = {"restore_point": told["restore_point"], "backup": told["backup"], **manifest.content["snapshot"]}
    answer = driver.ask("verify", asked, stop=ctx.control)
    said = driver.text("verify", answer, "said", required=True)
    is_sound = driver.flag("verify", answer, "verified")
    outcome = CheckOutcome.VOUCHED if is_sound else CheckOutcome.DAMAGED
    persist(
        lambda: _note(ctx, backup, outcome, said),
        is_written=backup.checks.filter(outcome=outcome).exists,
    )
    if not is_sound:
        raise DriverFailed(name=driver.name, phase="verify", why=said)
    return said


def _note(ctx: StepContext, backup: Backup, outcome: CheckOutcome, said: str) -> None:
    note_check(backup, outcome, {"said": said, "why": said}, actor=EXECUTOR, fence=ctx.holder.fence)


def _told(backup: Backup, manifest: Manifest, vouched: str) -> StepResult:
    told = manifest.content["driver"]
    words = [f"Made by the driver {told['name']}: restore point {told['restore_point']}."]
    words += [f"The driver says it restored it: {vouched}"] if vouched else ["Not restored by us."]
    words += [f"It says: {told['said']}"] if told["said"] and not vouched else []
    return StepResult(
        summary=" ".join(words),
        evidence={
            "place": backup.place,
            "scope": str(BackupScope.SERVER),
            "level": str(BackupLevel.DRIVER),
            "driver": told["name"],
            "restore_point": told["restore_point"],
            "restore_point_is_ours": told["is_ours"],
            "driver_backup": told["backup"],
            "driver_version": told["version"],
            "said": told["said"],
            "vouched": vouched,
            "bytes": backup.bytes,
            "manifest_sha256": manifest.sha256,
            "snapshot_at": manifest.content["snapshot"]["at"],
            "snapshot_lsn": manifest.content["snapshot"]["lsn"],
            "seconds": manifest.content["seconds"],
        },
    )
