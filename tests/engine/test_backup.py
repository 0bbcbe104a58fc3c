"""The backup before a deploy: complete, read to its end and recorded once, or the target stays as it was."""

import hashlib
import json
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from deployments.models import AuditEvent, Backup, Job, User
from deployments.pipelines.contract import PlanMoved
from deployments.pipelines.steps.backup import BackUp
from deployments.postgres.backup.dump import BackupFailed
from deployments.postgres.clients import Clients
from deployments.postgres.connect import Holder
from deployments.selectors.audit import check_chain, events_about
from deployments.selectors.audit_log import Wanted, find_events
from deployments.services.decide import request_cancel
from deployments.services.transition import Stale
from tests.engine.backups import LEDGER, asks_for_backup, ctx_of, files_in, step_of, store_of
from tests.engine.conftest import SHORT_LEASE, actor
from tests.engine.processes import eventually
from tests.postgres.dumps import client_in, held_client, newest, processes


@pytest.fixture
def backed_up(rewards):
    """Staging with a table of a thousand rows, one migration to come, and a backup asked for before it."""
    with rewards.connect() as opened:
        opened.execute(LEDGER)
    rewards.write("001_points", "ALTER TABLE ledger ADD points int", "ALTER TABLE ledger DROP points")
    rewards.sync()
    return asks_for_backup(rewards)


@pytest.fixture
def ctx(backed_up):
    """What the steps of a claimed job may use."""
    return ctx_of(backed_up, backed_up.start(backed_up.plan()))[0]


def dumping(rewards) -> dict:
    """Return the processes that write to this test's store."""
    return processes("pg_dump", str(store_of(rewards).root))


def columns(rewards) -> set[str]:
    with rewards.connect() as opened:
        rows = opened.execute("SELECT attname FROM pg_attribute WHERE attrelid = 'ledger'::regclass AND attnum > 0")
        return {name for (name,) in rows}


def test_a_deploy_is_backed_up_before_anything_changes(backed_up):
    job = backed_up.execute(backed_up.start(backed_up.plan()))

    assert (job.state, job.applied) == ("succeeded", 1), backed_up.output
    kept, step = Backup.objects.get(), step_of(job, "backup")
    manifest_file = store_of(backed_up).path(kept.place) / "manifest.json"
    manifest = json.loads(manifest_file.read_bytes())
    assert (kept.job, kept.scope, kept.level, kept.client_version) == (job, "database", "readable", newest().version)
    assert kept.manifest_sha256 == hashlib.sha256(manifest_file.read_bytes()).hexdigest()
    assert manifest["rows"]['"public"."ledger"'] == 1000
    story = find_events(User.objects.get(username="lee"), Wanted(run=job.run.number))
    (event,) = story.events.filter(action="backup.kept")
    assert kept.manifest_sha256 in str(event.after)
    assert manifest["server"]["system_identifier"] == job.run.plan["databases"][0]["system_identifier"]
    assert (manifest["run"], manifest["job"], manifest["scope"]) == (job.run.number, job.pk, "database")
    files = files_in(store_of(backed_up)) - {manifest_file}
    assert (kept.bytes, kept.files) == (sum(path.stat().st_size for path in files), len(files))
    assert (step.state, step.evidence["place"], step.evidence["rows_not_measured"]) == ("succeeded", kept.place, [])
    assert step.evidence["rows"] >= 1000
    assert kept.snapshot_at < step.finished_at
    assert columns(backed_up) == {"id", "points"}


def test_the_record_of_a_backup_is_audited_and_tells_no_secret(ctx):
    lines = []

    result = BackUp().run(replace(ctx, log=lines.append))

    told = events_about(Backup.objects.get()).get()
    assert (told.action, told.actor_name) == ("backup.kept", "executor")
    assert told.after["manifest_sha256"] == Backup.objects.get().manifest_sha256
    assert check_chain().is_whole
    manifest = (ctx.artifacts.path(result.evidence["place"]) / "manifest.json").read_text()
    everything = f"{result}{lines}{manifest}{list(AuditEvent.objects.values())}"
    assert "of-tests-only" not in everything
    assert "restored and equal" not in everything.lower()


def test_an_executor_that_was_taken_over_records_no_backup(ctx):
    late = replace(ctx, holder=replace(ctx.holder, fence=ctx.holder.fence - 1))

    with pytest.raises(Stale, match="no longer held by this executor"):
        BackUp().run(late)

    assert not Backup.objects.exists()


def test_where_no_backup_is_asked_for_none_is_made(ctx):
    ctx.plan["requirements"]["backup"] = False

    result = BackUp().run(ctx)

    assert result.is_skipped
    assert result.summary == "The policy asks for no backup here: none was made."
    assert BackUp().settled(ctx) is None
    assert not Backup.objects.exists()
    assert not ctx.artifacts.root.exists()


def test_a_backup_that_nobody_recorded_is_settled_by_the_next_executor(backed_up):
    job = backed_up.start(backed_up.plan())
    died = backed_up.execute(job, LOCKTENDER_CRASH_AT="backup-unrecorded", **SHORT_LEASE)
    (made,) = store_of(backed_up).root.glob("*/run-*/job-*/*")
    assert (died.state, Backup.objects.count()) == ("running", 0)

    eventually(lambda: backed_up.execute(job).state != "running")

    job.refresh_from_db()
    assert (job.state, job.applied) == ("succeeded", 1), backed_up.output
    assert store_of(backed_up).path(Backup.objects.get().place) == made
    assert list(store_of(backed_up).root.glob("*/run-*/job-*/*")) == [made]
    assert [step.state for step in job.steps.filter(name="backup")] == ["interrupted", "succeeded"]


def test_a_killed_executor_takes_pg_dump_along_and_the_next_one_begins_anew(backed_up, tmp_path):
    held = held_client(tmp_path / "bin")
    job = backed_up.start(backed_up.plan())
    with backed_up.executor(job, PG_CLIENT_FOLDER=str(held.folder), **SHORT_LEASE) as executor:
        eventually(lambda: dumping(backed_up))
        executor.send_signal(signal.SIGKILL)

    eventually(lambda: not dumping(backed_up))
    eventually(lambda: backed_up.execute(job).state != "running")

    job.refresh_from_db()
    assert (job.state, job.applied) == ("succeeded", 1), backed_up.output
    (place,) = store_of(backed_up).root.glob("*/run-*/job-*/*")
    assert store_of(backed_up).path(Backup.objects.get().place) == place


def test_a_cancel_while_it_dumps_leaves_nothing_behind(backed_up, tmp_path):
    held = held_client(tmp_path / "bin")
    job = backed_up.start(backed_up.plan())
    with backed_up.executor(job, PG_CLIENT_FOLDER=str(held.folder)) as executor:
        eventually(lambda: dumping(backed_up))
        request_cancel(job.run, actor=actor("dana"))
        executor.communicate(timeout=60)

    job.refresh_from_db()
    assert (job.state, job.error_code, job.applied) == ("cancelled", "cancelled-on-request", 0)
    assert not dumping(backed_up)
    assert files_in(store_of(backed_up)) == set()
    assert not Backup.objects.exists()
    assert columns(backed_up) == {"id"}


def test_a_full_disk_fails_the_run_and_leaves_store_and_target_as_they_were(backed_up, tmp_path):
    with backed_up.connect() as opened:
        opened.execute("CREATE TABLE big AS SELECT sha512(n::text::bytea) FROM generate_series(1, 5000) n")
    limited = client_in(tmp_path / "bin", pg_dump=f'ulimit -f 50\nexec "{newest().pg_dump}" "$@"')

    job = backed_up.execute(backed_up.start(backed_up.plan()), PG_CLIENT_FOLDER=str(limited.folder))

    assert (job.state, job.error_code, job.applied) == ("failed", "artifacts-full", 0), backed_up.output
    assert files_in(store_of(backed_up)) == set()
    assert not Backup.objects.exists()
    assert columns(backed_up) == {"id"}
    assert backed_up.history() == []


def test_a_dump_that_reads_badly_is_not_kept(backed_up, tmp_path, ctx):
    told = tmp_path / "told"  # only after the damage, because what is told as dumped is packed at once
    damage = (
        f'"{newest().pg_dump}" "$@" 2> "{told}" || exit 1\n'
        'for word; do case "$word" in --file=*) folder="${word#--file=}";; esac; done\n'
        'for file in "$folder"/[0-9]*.dat; do : > "$file"; done\n'
        f'cat "{told}" >&2'
    )
    emptying = client_in(tmp_path / "bin", pg_dump=damage)

    with pytest.raises(BackupFailed, match=r"\(0 bytes\) does not end as the rows of a table do"):
        BackUp().run(replace(ctx, clients=Clients(emptying.folder)))

    assert files_in(ctx.artifacts) == set()
    assert not Backup.objects.exists()


def test_a_step_that_runs_twice_keeps_one_backup(ctx):
    first = BackUp().run(ctx)

    for again in (BackUp().settled(ctx), BackUp().run(ctx)):
        assert (again.summary, again.evidence["place"]) == (first.summary, first.evidence["place"])
    assert Backup.objects.get().place == first.evidence["place"]
    assert AuditEvent.objects.filter(action="backup.kept").count() == 1


def test_what_dead_executors_left_is_removed(ctx):
    unfinished = ctx.artifacts.path(f"{ctx.control_plane_id}/run-{ctx.job.run.number}/job-{ctx.job.pk}/fence-1.tmp")
    unfinished.mkdir(parents=True)
    (unfinished / "half").write_text("of a dump")

    BackUp().run(ctx)

    assert not unfinished.exists()


def spoil(folder: Path) -> None:
    path = max((folder / "dump").glob("*.zst"), key=lambda one: one.stat().st_size)
    path.write_bytes(path.read_bytes()[:-1] + b"x")


def test_a_recorded_backup_that_was_damaged_is_made_again_beside_it(ctx):
    first = BackUp().run(ctx)
    spoil(ctx.artifacts.path(first.evidence["place"]))
    later = replace(ctx, holder=Holder(ctx.holder.run, ctx.holder.job, ctx.holder.fence + 1))
    Job.objects.filter(pk=ctx.job.pk).update(fence=later.holder.fence)

    assert BackUp().settled(later) is None
    second = BackUp().run(later)

    assert second.evidence["place"] != first.evidence["place"]
    assert {kept.place for kept in Backup.objects.all()} == {first.evidence["place"], second.evidence["place"]}
    assert ctx.artifacts.path(first.evidence["place"]).exists()  # the record speaks of it: a person looks


def test_an_unrecorded_place_that_was_damaged_is_removed(ctx):
    place = f"{ctx.control_plane_id}/run-{ctx.job.run.number}/job-{ctx.job.pk}/fence-1"
    with ctx.artifacts.writing(place) as folder:
        (folder / "manifest.json").write_text("{}")

    assert BackUp().settled(ctx) is None

    assert not ctx.artifacts.path(place).exists()
    assert not Backup.objects.exists()


def test_another_database_than_the_planned_one_is_not_dumped(ctx):
    ctx.plan["databases"][0]["database_name"] = "another"

    with pytest.raises(PlanMoved, match="it is now"):
        BackUp().run(ctx)

    assert files_in(ctx.artifacts) == set()


def test_what_could_not_be_counted_is_named(backed_up, ctx, monkeypatch):
    monkeypatch.setattr("deployments.postgres.backup.measure.COUNT_TIMEOUT", timedelta(milliseconds=1))
    with backed_up.connect() as opened:
        opened.execute("CREATE TABLE slow AS SELECT n FROM generate_series(1, 300000) n")

    result = BackUp().run(ctx)

    assert '"public"."slow"' in result.evidence["rows_not_measured"]
    assert result.evidence["tables_not_measured"] == len(result.evidence["rows_not_measured"])
    assert "rows counted" in result.summary
