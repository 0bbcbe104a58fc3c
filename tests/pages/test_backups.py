"""The backups on the page of a database: how far each is proven is said as it is, and what was wanted of them."""

import hashlib

from django.db.models.functions import Now

from deployments.actors import EXECUTOR, person
from deployments.models import Backup, TargetRequest
from deployments.models.backup import BackupLevel, BackupScope, CheckOutcome
from deployments.services.backups import keep_backup, note_check
from deployments.services.restore_tables import is_under_way, note_tables, request_tables
from tests.pages import made
from tests.pages.markup import faults
from tests.pages.words import words as words_of


def backup(run, place: str, **changes) -> Backup:
    job = run.jobs.get()
    told = {
        "scope": BackupScope.DATABASE, "level": BackupLevel.READABLE, "size_bytes": 1000, "files": 1,
        "snapshot_at": run.created_at, "snapshot_lsn": "0/1", "server_version": 180006, "client_version": "18.6",
        "manifest_sha256": hashlib.sha256(place.encode()).hexdigest(),
    }  # fmt: skip
    return keep_backup(job, fence=job.fence, place=place, actor=EXECUTOR, **told | changes)


def test_a_sample_is_not_equal_a_drivers_word_is_its_own_and_wanted_tables_are_followed(cast, browse):
    run = made.succeeded(cast)
    sampled = backup(run, "plane/run-1/job-1/fence-1")
    backup(run, "plane/run-1/job-1/fence-2", scope=BackupScope.SERVER, level=BackupLevel.DRIVER, driver="pgbackrest",
           restore_point="lkt_1_34_56")  # fmt: skip
    note_check(sampled, CheckOutcome.SAMPLED, {}, actor=EXECUTOR)

    def page() -> str:
        answer = browse(cast.lee).get(f"/databases/{cast.rewards_prod.pk}/")
        html = answer.content.decode()
        assert (answer.status_code, faults(html)) == (200, [])
        return " ".join(words_of(html).split())

    told = page()
    assert "Restored, sampled" in told
    assert "Made by pgbackrest, not restored by us restore point lkt_1_34_56" in told
    assert "Verified" not in told
    assert "Tables of backups" not in told

    wish = request_tables(sampled, tables=["public.points"], reason="Deleted by hand", actor=person(cast.lee))
    assert "Being restored public.points" in page()
    restoring = {"phase": "rows", "done": 1, "total": 4, "table": "public.points", "tables": 1, "seconds": 1.0,
                 "phase_left_seconds": None, "left_seconds": None}  # fmt: skip
    assert is_under_way(wish, {"restoring": restoring})
    assert "Restores rows" in page()

    side = {"table": "public.points", "name": "lkt_run_1_1.points", "rows": 42, "as_text": ["tier"]}
    note_tables(wish, {"tables": [side], "drop": 'DROP SCHEMA "lkt_run_1_1" CASCADE;'}, actor=EXECUTOR)
    told = page()
    assert "There public.points" in told
    assert "42 rows of public.points" in told
    assert "as text: tier" in told
    assert 'DROP SCHEMA "lkt_run_1_1" CASCADE;' in told

    again = request_tables(sampled, tables=["public.gone"], reason="Another", actor=person(cast.lee))
    TargetRequest.objects.filter(pk=again.pk).update(
        answered_at=Now(), error_code="table-not-in-backup", error="The backup holds no table public.gone."
    )
    assert "table-not-in-backup The backup holds no table public.gone." in page()
