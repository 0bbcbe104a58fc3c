"""Where the backups of a job lie, and what an earlier executor of it already made."""

from datetime import datetime, timedelta

from deployments.models import Backup
from deployments.models.backup import BackupScope
from deployments.pipelines.contract import StepContext
from deployments.pipelines.freshness import is_too_old
from deployments.postgres.backup.archive import BackupUnreadable, Manifest, compare_with_manifest


def place_of_job(ctx: StepContext) -> str:
    """Return the place in the artifacts store below which everything of this job lies.

    It begins with the control plane: another one may keep its backups in the same store, and have the same numbers.
    """
    return f"{ctx.control_plane_id}/run-{ctx.job.run.number}/job-{ctx.job.pk}"


def found_place(ctx: StepContext, scope: BackupScope) -> tuple[str, Manifest] | None:
    """Return the place and manifest of what an earlier executor of this job kept and is still sound, or None.

    What earlier executors left unfinished or damaged is removed. What is too old stays where it is, and is not used.
    """
    under = place_of_job(ctx)
    if removed := ctx.artifacts.remove_partial(under):
        ctx.log(f"Removed what {removed} unfinished attempts had written")
    for place in ctx.artifacts.complete(under):
        kept = Backup.objects.filter(place=place).first()
        try:
            recorded = kept.manifest_sha256 if kept else None
            manifest = compare_with_manifest(ctx.artifacts.path(place), recorded=recorded, stop=ctx.control)
        except BackupUnreadable as damaged:
            ctx.log(str(damaged))
            if kept is None:
                ctx.artifacts.remove(place)
            continue
        if manifest.content["scope"] != scope:
            continue
        if is_too_old(kept, _ended_at(manifest)):
            ctx.log(f"The dump in {place} is too old to begin with now: making another one")
            continue
        return place, manifest
    return None


def _ended_at(manifest: Manifest) -> datetime:
    seconds = manifest.content["seconds"]
    return datetime.fromisoformat(manifest.content["snapshot"]["at"]) + timedelta(seconds=sum(seconds.values()))
