"""A wish for tables of a backup: fulfilled by one process, on the page of the database, and on the record."""

import psycopg
import pytest
from django.conf import settings

from deployments.models import AuditEvent, Backup, Job, TargetRequest
from deployments.pipelines import beside
from deployments.pipelines.answering import answer_request
from deployments.pipelines.steps.backup import BackUp
from deployments.services.restore_tables import request_tables
from tests.engine.backups import LEDGER, asks_for_verified_backup, ctx_of, scratch_databases, store_of
from tests.engine.conftest import actor


@pytest.fixture
def backup(rewards, monkeypatch) -> Backup:
    """A backup of staging with a ledger of a thousand rows, which is empty since."""
    monkeypatch.setattr(settings.CONFIGURATION, "artifacts", store_of(rewards).root)
    with rewards.connect() as opened:
        opened.execute(LEDGER)
    rewards.write("001_points", "ALTER TABLE ledger ADD points int", "ALTER TABLE ledger DROP points")
    rewards.sync()
    asks_for_verified_backup(rewards)
    ctx = ctx_of(rewards, rewards.start(rewards.plan()))[0]
    ctx.plan["requirements"]["verified_backup_gb"] = None  # nothing of this is about that
    BackUp().run(ctx)
    Job.objects.filter(pk=ctx.job.pk).update(state="failed")
    with rewards.connect() as opened:
        opened.execute("TRUNCATE ledger")
    return Backup.objects.get()


def wish_for(backup: Backup, *tables: str) -> TargetRequest:
    return request_tables(backup, tables=tables, reason="Deleted by hand", actor=actor("lee"))


def test_a_wish_puts_the_tables_there_and_says_how_to_drop_them(backup, rewards):
    wish = wish_for(backup, "public.ledger")

    assert answer_request(wish.pk)

    wish.refresh_from_db()
    side = f"lkt_run_{backup.job.run.number}_{wish.pk}"
    assert (wish.error, wish.found["schema"]) == ("", side)
    assert wish.found["drop"] == f'DROP SCHEMA "{side}" CASCADE;'
    with rewards.connect() as opened:
        assert opened.execute(f"SELECT count(*) FROM {side}.ledger").fetchone() == (1000,)
        assert opened.execute("SELECT count(*) FROM ledger").fetchone() == (0,)
    assert scratch_databases() == []
    assert list(store_of(rewards).root.rglob("*.tmp")) == []
    assert AuditEvent.objects.get(action="backup.tables-beside").after["schema"] == side
    assert not answer_request(wish.pk)


def test_while_one_process_does_it_another_does_nothing(backup, rewards, monkeypatch):
    wish = wish_for(backup, "public.ledger")
    second: list[bool] = []
    real = beside.put_beside

    def meanwhile(*arguments, **options):
        second.append(answer_request(wish.pk))  # a dispatcher sends it again
        return real(*arguments, **options)

    monkeypatch.setattr(beside, "put_beside", meanwhile)

    assert answer_request(wish.pk)

    assert second == [False]
    assert AuditEvent.objects.filter(action="backup.tables-beside").count() == 1


def test_a_table_that_the_backup_does_not_hold_is_an_answer_and_leaves_nothing(backup, rewards):
    wish = wish_for(backup, "public.ledgers")

    assert answer_request(wish.pk)

    wish.refresh_from_db()
    assert (wish.error_code, wish.found) == ("table-not-in-backup", {})
    with rewards.connect() as opened, pytest.raises(psycopg.errors.InvalidSchemaName):
        opened.execute(f"CREATE TABLE lkt_run_{backup.job.run.number}_{wish.pk}.probe ()")
    assert scratch_databases() == []
    assert list(store_of(rewards).root.rglob("*.tmp")) == []
