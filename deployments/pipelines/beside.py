"""Putting tables of a backup beside those of now, because somebody wants it: by one process at a time."""

from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from deployments.actors import EXECUTOR
from deployments.artifacts import PARTIAL, Artifacts, ArtifactsNotWritable
from deployments.models import Backup, ControlPlane, TargetRequest
from deployments.models.target_request import RequestKind
from deployments.pipelines.observing import rehearsal_target_of, target_of
from deployments.postgres.backup.archive import compare_with_manifest
from deployments.postgres.backup.opening import GoOn
from deployments.postgres.backup.restore import RestoreWithoutRoom
from deployments.postgres.backup.scratch import Purpose, Scratch, drop_leftovers
from deployments.postgres.backup.sealing import Keys
from deployments.postgres.backup.tables import Wanted, put_beside
from deployments.postgres.clients import Clients, asks_for_tls
from deployments.postgres.connect import Holder, session
from deployments.services.restore_tables import is_under_way, note_tables

LIVES = timedelta(minutes=2)  # a process that works says so every second
ALONE = "SELECT pg_try_advisory_lock(hashtextextended('locktender tables beside ' || %s, 0))"


def tables_beside(wish: TargetRequest) -> bool:
    """Do what a wish for tables asks for, and answer it; False if another process does it, or did.

    Raises what `put_beside` raises, BackupUnreadable, RestoreWithoutRoom, NoClient, and what opening a session raises.
    """
    backup = Backup.objects.get(pk=wish.asked["backup"])
    target = target_of(wish.database)
    server = rehearsal_target_of(wish.database) or target
    holder = Holder(run=backup.job.run.number, job=backup.job_id, fence=0)
    plane = ControlPlane.objects.get().pk
    with session(target, name=holder.session_name) as alone:
        if alone.execute(ALONE, [str(plane)]).fetchone() != (True,) or not is_under_way(wish, {}):
            return False
        drop_leftovers(server, plane, purposes=[Purpose.TABLES], is_alive=_is_at_work(wish), name=holder.session_name)
        version = alone.info.server_version
        with session(server, name=holder.session_name) as opened:
            version = max(version, opened.info.server_version, backup.server_version)
        side = f"lkt_run_{backup.job.run.number}_{wish.pk}"
        wanted = Wanted(tuple(wish.asked["tables"]), side, mark=f"{plane}/{wish.pk}")
        found = _put(wish, backup, wanted, target=target, server=server, holder=holder, version=version)
    return note_tables(wish, found, actor=EXECUTOR)


def _put(wish: TargetRequest, backup: Backup, wanted: Wanted, *, target: Any, server: Any, holder: Holder,
         version: int) -> dict[str, Any]:  # fmt: skip
    timings = settings.CONFIGURATION
    artifacts = Artifacts(timings.artifacts)
    place = artifacts.path(backup.place)
    manifest = compare_with_manifest(place, recorded=backup.manifest_sha256, stop=GoOn())
    plain = sum(fact["plain_bytes"] for fact in manifest.content["files"].values())
    if plain > timings.restore_limit:
        raise RestoreWithoutRoom(where="RESTORE_LIMIT", free=timings.restore_limit, wanted=plain)
    clients, is_protected = Clients(timings.pg_client_folder), wish.database.environment.is_protected
    restored = partial(
        put_beside,
        target,
        server,
        holder,
        wanted,
        place=place,
        manifest=manifest,
        scratch=Scratch.named(ControlPlane.objects.get().pk, Purpose.TABLES, job=wish.pk, fence=1),
        client=clients.newest_for(version, tls=asks_for_tls(server), is_protected=is_protected),
        jobs=timings.dump_jobs,
        into=artifacts.path(f"{backup.place}-tables-{wish.pk}{PARTIAL}"),
        stop=GoOn(),
        progress=lambda told: _tell(wish, told),
        keys=Keys(timings.backup_keys),
    )
    try:
        made = restored()
    except OSError as refused:
        reason = refused.strerror or type(refused).__name__
        raise ArtifactsNotWritable(folder=artifacts.root, reason=reason) from refused
    return {
        "schema": wanted.side,
        "tables": [one.as_evidence() for one in made],
        "as_of": manifest.content["snapshot"]["at"],
        "drop": f'DROP SCHEMA "{wanted.side}" CASCADE;',
    }


def _tell(wish: TargetRequest, told: dict[str, Any]) -> None:
    is_under_way(wish, {"restoring": told["restoring"]})


def _is_at_work(wish: TargetRequest) -> Any:
    """Return what says of another wish whether a process works on it. Of this one there is none but ours."""

    def is_at_work(number: int, _fence: int) -> bool:
        lately = TargetRequest.objects.filter(
            pk=number, kind=RequestKind.TABLES, answered_at=None, sent_at__gt=Now() - LIVES
        )
        return number != wish.pk and lately.exists()

    return is_at_work
