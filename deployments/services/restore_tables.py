"""Asking for single tables of a backup beside those of now, for a repair by hand: the wish, and what came of it."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.errors import DeploymentError
from deployments.models import Backup, TargetRequest
from deployments.models.backup import BackupScope
from deployments.models.target_request import RequestKind
from deployments.selectors.backups import is_sound
from deployments.services.announce import announce_sweep
from deployments.services.audit import record
from deployments.services.looks import answer
from deployments.services.plan_refusals import ReasonMissing
from deployments.services.transition import lock_databases, locked_run

MOST_TABLES = 20


class TablesNotToBeHad(DeploymentError):
    """Of this backup no tables can be put beside those of now."""

    code = "tables-not-to-be-had"

    def __init__(self, *, why: str) -> None:
        super().__init__(f"{why} Nothing was asked for, and no database was changed. Look at the backups on its page.")


def request_tables(backup: Backup, *, tables: Sequence[str], reason: str, actor: Actor) -> TargetRequest:
    """Ask for tables of a backup to be put into a schema of their own in its database, and return the wish.

    `tables` are named as schema.table. Asked twice with the same tables it is the same wish. Raises NotAllowed,
    ReasonMissing, TablesNotToBeHad.
    """
    with transaction.atomic():
        run = locked_run(backup.job.run_id)  # it is not removed between this look and the wish
        require(actor, Action.RESTORE_TABLES, run.environment)
        if not reason.strip():
            raise ReasonMissing
        _require_to_be_had(backup, tables)
        lock_databases([backup.job.database_id])
        asked = {"backup": backup.pk, "place": backup.place, "tables": sorted(set(tables))}
        wishes = TargetRequest.objects.filter(
            database=backup.job.database_id, kind=RequestKind.TABLES, answered_at=None
        )
        if (same := wishes.first()) is not None:
            if same.asked == asked:
                return same
            raise TablesNotToBeHad(why=f"Other tables were asked for, and are not there yet (wish {same.pk}).")
        wish = TargetRequest.objects.create(
            database_id=backup.job.database_id,
            job=backup.job,
            kind=RequestKind.TABLES,
            reason=reason,
            asked=asked,
            requested_by=actor.user,
        )
        record(actor, "backup.tables-requested", backup, after=asked, reason=reason)
        announce_sweep()
    return wish


def _require_to_be_had(backup: Backup, tables: Sequence[str]) -> None:
    if hasattr(backup, "expiry"):
        raise TablesNotToBeHad(why="The files of this backup were removed.")
    if backup.scope != BackupScope.DATABASE:
        raise TablesNotToBeHad(why=f"It is no backup of a whole database by us: {backup.get_scope_display()}.")
    if not is_sound(backup):
        raise TablesNotToBeHad(why="It was damaged or different when it was last looked at.")
    if not 0 < len(set(tables)) <= MOST_TABLES or not all("." in one.strip(".") for one in tables):
        raise TablesNotToBeHad(why=f"Name 1 to {MOST_TABLES} tables, each as schema.table.")


def is_under_way(wish: TargetRequest, told: dict[str, Any]) -> bool:
    """Note how far a wish is, so that nobody else begins it; False if it was answered meanwhile."""
    return bool(TargetRequest.objects.filter(pk=wish.pk, answered_at=None).update(sent_at=Now(), found=told))


def note_tables(wish: TargetRequest, found: dict[str, Any], *, actor: Actor) -> bool:
    """Answer a wish with what is there now, with its audit event; False if somebody was quicker."""
    with transaction.atomic():
        written = answer(wish, found=found)
        if written:
            record(actor, "backup.tables-beside", wish.database, after=found)
    return written
