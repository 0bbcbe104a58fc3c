"""A backup that is restored before the change: equal or the run stops, and no copy is left on the rehearsal server."""

import os
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql

from deployments.models import Backup, BackupCheck
from deployments.pipelines.steps import verify
from deployments.pipelines.steps.backup import BackUp
from deployments.pipelines.steps.verify import BackupDiffers
from deployments.postgres.backup.filling import RestoreFailed
from deployments.postgres.backup.scratch import Purpose, Scratch
from deployments.postgres.backup.sealing import Keys
from deployments.services.setup import set_rehearsal_server
from tests.engine.backups import LEDGER, asks_for_verified_backup, ctx_of, scratch_databases
from tests.engine.conftest import COMMAND_LINE
from tests.postgres.test_dump_archive import new_key
from tests.servers import SUPERUSER_URL


@pytest.fixture
def ctx(rewards):
    """What the backup step of a claimed job may use, on staging with a table of a thousand rows."""
    with rewards.connect() as opened:
        opened.execute(LEDGER)
    rewards.write("001_points", "ALTER TABLE ledger ADD points int", "ALTER TABLE ledger DROP points")
    rewards.sync()
    asks_for_verified_backup(rewards)
    return ctx_of(rewards, rewards.start(rewards.plan()))[0]


def test_a_backup_is_restored_and_equal_and_nothing_is_left_of_the_copy(ctx, monkeypatch):
    dead = str(Scratch.named(ctx.control_plane_id, Purpose.VERIFY, job=ctx.job.pk, fence=ctx.holder.fence - 1))
    with psycopg.connect(os.environ[SUPERUSER_URL], autocommit=True) as opened:
        opened.execute(sql.SQL("CREATE DATABASE {} STRATEGY FILE_COPY").format(sql.Identifier(dead)))
    monkeypatch.setenv("STAGING_BACKUP_KEY", new_key())
    ctx.job.run.environment.is_protected = True  # then it is encrypted too
    keys = Keys(("env:STAGING_BACKUP_KEY",))
    clients = _any_client(ctx)

    result = BackUp().run(replace(ctx, keys=keys, clients=clients))

    assert result.evidence["level"] == "equal"
    assert result.evidence["restored"]["rows"] >= 1000
    assert result.evidence["key_id"] == keys.known[0].id
    assert "and equal: schema, and" in result.summary
    assert [check.outcome for check in BackupCheck.objects.all()] == ["equal"]
    assert scratch_databases() == []
    assert BackUp().settled(replace(ctx, keys=keys, clients=clients)).evidence["level"] == "equal"
    assert BackupCheck.objects.count() == 1  # it was not restored twice


def _any_client(ctx):
    """Return the clients of this machine, also those with known holes."""

    class Any:
        @staticmethod
        def newest_for(version, *, tls, **_):
            return ctx.clients.newest_for(version, tls=tls, is_protected=False)

    return Any()


def test_a_backup_that_differs_is_no_way_back_and_stops_the_run(ctx, monkeypatch):
    real = verify.restore_to

    def forgetting(server, *arguments, **options):
        options["manifest"].content["hashes"]['"public"."ledger"'] = "7"
        return real(server, *arguments, **options)

    monkeypatch.setattr(verify, "restore_to", forgetting)

    with pytest.raises(BackupDiffers, match=r'"public"\."ledger" has as many rows, and not the same ones'):
        BackUp().run(ctx)

    assert [check.outcome for check in BackupCheck.objects.all()] == ["different"]
    assert scratch_databases() == []


def test_a_server_that_cannot_restore_it_stops_the_run(ctx, monkeypatch, rewards):
    monkeypatch.setenv("REHEARSAL_WITHOUT_RIGHTS", os.environ["REWARDS_STAGING"])  # its role makes no databases
    environment = rewards.staging.environment
    set_rehearsal_server(environment, connection="env:REHEARSAL_WITHOUT_RIGHTS", actor=COMMAND_LINE)
    ctx.job.database.environment.rehearsal_connection = environment.rehearsal_connection

    with pytest.raises(RestoreFailed, match="permission denied to create"):
        BackUp().run(ctx)

    assert Backup.objects.get().level == "readable"
    assert not BackupCheck.objects.exists()
    assert scratch_databases() == []


@pytest.mark.parametrize(
    ("asked", "server", "told"),
    [
        (None, True, "the policy does not ask for it"),
        (1, False, "this environment names no rehearsal server"),
    ],
)
def test_what_is_not_restored_says_so_and_why(ctx, asked, server, told):
    ctx.plan["requirements"]["verified_backup_gb"] = asked
    if not server:
        ctx.job.database.environment.rehearsal_connection = ""

    result = BackUp().run(ctx)

    assert f"Not restored: {told}" in result.summary
    assert told in result.evidence["not_restored"]
    assert result.evidence["level"] == "readable"
