"""How old what was looked at and dumped before a migration may be when an executor comes late to begin it."""

from datetime import datetime, timedelta

from django.db.models.functions import Now
from django.utils import timezone

from deployments.models import Backup, Step
from deployments.pipelines.asking import patiently
from deployments.pipelines.contract import StepContext
from deployments.postgres.connect import Session, session
from deployments.postgres.ledger import has_begun, require_ours
from deployments.states import StepState

# An executor that takes over at once (a lease is half a minute) keeps what there is; after an outage it is taken anew.
# What the application writes after the dump is what a restore loses, and its health from then says nothing of now.
LIMIT = timedelta(minutes=15)
PREFLIGHT = "preflight"


def outdated(ctx: StepContext, before_migration: list[str]) -> set[str]:
    """Return which of these ended steps are to be taken anew: those that are too old, while nothing has begun.

    Once the job has changed something in the target they stay: what was noted before can never be noted again. Raises
    what waiting for a target raises, and what `require_ours` does.
    """
    ended = Step.objects.filter(
        job=ctx.job, name__in=before_migration, state__in=[StepState.SUCCEEDED, StepState.SKIPPED]
    )
    fresh = set(ended.filter(finished_at__gte=Now() - LIMIT).values_list("name", flat=True))
    old = [name for name in before_migration if name in set(ended.values_list("name", flat=True)) - fresh]
    if not old or _has_begun(ctx):
        return set()
    # What comes after a dump that is taken anew would be as old as the dump takes. Preflight is short.
    long = [before_migration.index(name) for name in old if name != PREFLIGHT]
    return {*old, *(before_migration[min(long) :] if long else ())}


def _has_begun(ctx: StepContext) -> bool:
    def look(opened: Session) -> bool:
        require_ours(opened, ctx.target, control_plane_id=ctx.control_plane_id)  # it may have been away meanwhile
        return has_begun(opened, ctx.job.pk)

    return patiently(ctx, look, opening=lambda: session(ctx.target, name=ctx.holder.session_name))


def is_too_old(kept: Backup | None, ended_at: datetime) -> bool:
    """Return whether a dump is not to be used for a migration that begins now, by the control database's clock.

    `ended_at` is when it ended by its manifest, which counts only where nothing was recorded of it (`kept` is None).
    """
    if kept is not None:
        return not Backup.objects.filter(pk=kept.pk, created_at__gte=Now() - LIMIT).exists()
    # Its executor died before it could tell: there is only the target's clock, compared with this worker's.
    return timezone.now() - ended_at > LIMIT
