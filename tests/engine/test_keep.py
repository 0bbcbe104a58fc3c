"""Before a way back, what its scripts destroy is kept: those tables alone, up to a limit, or it is said what is not."""

import json
import re
from dataclasses import replace

import pytest

from deployments.models import Backup
from deployments.pipelines.steps.keep import Keep
from deployments.postgres.clients import Clients
from tests.engine.backups import ctx_of, files_in, step_of, store_of
from tests.postgres.dumps import client_in, contents, newest

LEDGER = "CREATE TABLE ledger (id int); CREATE TABLE users (id int)"
ROWS = "INSERT INTO ledger SELECT generate_series(1, 1000)"


@pytest.fixture
def way_back(rewards):
    """Return a function that gives the context of a rollback whose script is the one given."""

    def plan(script: str, *, forward: str = LEDGER, **changes):
        rewards.write("001_ledger", forward, script)
        done = rewards.deploy()
        assert done.state == "succeeded", rewards.output
        with rewards.connect() as opened:
            opened.execute(ROWS)
        job = rewards.start(rewards.plan_rollback(done.run))
        return ctx_of(rewards, job, **changes)[0]

    return plan


def rows_kept(ctx, place: str) -> dict[str, int]:
    return json.loads((ctx.artifacts.path(place) / "manifest.json").read_bytes())["rows"]


def test_a_way_back_keeps_what_it_drops_and_then_drops_it(rewards):
    rewards.write("001_ledger", LEDGER, "DROP TABLE ledger; DROP TABLE users")
    done = rewards.deploy()
    with rewards.connect() as opened:
        opened.execute(ROWS)

    job = rewards.execute(rewards.start(rewards.plan_rollback(done.run)))

    assert (job.state, job.applied) == ("succeeded", 1), rewards.output
    kept, step = Backup.objects.get(), step_of(job, "keep")
    assert (kept.scope, kept.level, kept.job) == ("tables", "readable", job)
    assert (step.state, step.evidence["rows"], step.evidence["tables"]) == ("succeeded", 1000, 2)
    listing = contents(store_of(rewards).path(kept.place) / "dump")
    assert sum(" TABLE DATA " in line for line in listing) == 2
    assert not any(" locktender " in line for line in listing)
    assert rewards.tables() == set()


def test_only_what_is_destroyed_is_kept_and_only_once(way_back):
    ctx = way_back("DELETE FROM ledger WHERE id > 10")

    first = Keep().run(ctx)

    assert rows_kept(ctx, first.evidence["place"]) == {'"public"."ledger"': 1000}
    for again in (Keep().settled(ctx), Keep().run(ctx)):
        assert (again.summary, again.evidence["place"]) == (first.summary, first.evidence["place"])
    assert Backup.objects.count() == 1


@pytest.mark.parametrize(
    ("script", "summary"),
    [
        ("DROP INDEX IF EXISTS ledger_index", "The scripts destroy no data."),
        ("DROP TABLE IF EXISTS elsewhere", "What the scripts destroy is not in the target: there was nothing to keep."),
    ],
)
def test_where_nothing_is_lost_nothing_is_kept(way_back, script, summary):
    ctx = way_back(script)

    result = Keep().run(ctx)

    assert (result.is_skipped, result.summary) == (True, summary)
    assert Keep().settled(ctx) is None
    assert not Backup.objects.exists()
    assert files_in(ctx.artifacts) == set()


def test_what_is_too_big_is_not_kept_and_named_with_its_size(way_back):
    ctx = way_back("DROP TABLE ledger", keep_limit=1000)

    result = Keep().run(ctx)

    assert result.is_skipped
    assert result.summary.startswith("Not kept: public.ledger. That is ")
    assert result.summary.endswith(" bytes, and the limit KEEP_LIMIT is 1,000.")
    assert result.evidence["not_kept"] == ["public.ledger"]
    assert result.evidence["bytes"] > 1000
    assert not Backup.objects.exists()


def test_what_is_behind_a_lock_is_not_kept_and_said(rewards, way_back):
    ctx = way_back("DROP TABLE ledger")

    with rewards.connect() as importer:
        importer.execute("BEGIN; LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")
        result = Keep().run(ctx)

    assert result.is_skipped
    assert result.summary.startswith("Not kept: public.ledger. Another session has a lock there")
    assert result.evidence["bytes"] is None


@pytest.mark.parametrize(
    ("script", "is_skipped"),
    [
        ("DO $$ BEGIN DELETE FROM ledger; END $$", True),
        ("DROP TABLE users; DO $$ BEGIN DELETE FROM ledger; END $$", False),
    ],
)
def test_what_cannot_be_told_from_the_text_is_said(way_back, script, is_skipped):
    ctx = way_back(script)

    result = Keep().run(ctx)

    assert result.is_skipped is is_skipped
    assert result.summary.endswith("What this destroys cannot be told from its text: 001_ledger, line 1: DO.")
    assert result.evidence["not_judged"] == ["001_ledger, line 1: DO"]
    assert Backup.objects.count() == (0 if is_skipped else 1)


def test_rows_behind_a_view_are_said_not_to_be_kept(way_back):
    forward = f"{LEDGER}; CREATE VIEW high AS SELECT id FROM ledger WHERE id > 10"
    ctx = way_back("DELETE FROM high", forward=forward)

    result = Keep().run(ctx)

    assert (result.is_skipped, result.summary) == (
        True,
        "Not kept: the rows of public.high, which are views or foreign tables.",
    )


def test_names_are_kept_as_they_are_written(way_back):
    odd = '"We""ird.*Na me"'
    ctx = way_back(
        f"DROP TABLE {odd}", forward=f'{LEDGER}; CREATE TABLE {odd} (id int); CREATE TABLE "We1ird" (id int)'
    )

    result = Keep().run(ctx)

    assert rows_kept(ctx, result.evidence["place"]) == {'"public"."We""ird.*Na me"': 0}


def test_a_way_back_that_cannot_keep_what_it_destroys_says_so_and_goes_on(rewards, tmp_path):
    version = f'[ "$1" = --version ] && exec "{newest().pg_dump}" --version'
    broken = client_in(tmp_path / "bin", pg_dump=f"{version}\necho 'pg_dump: error: out of luck' >&2; exit 1")
    rewards.write("001_ledger", LEDGER, "DROP TABLE ledger; DROP TABLE users")
    done = rewards.deploy()

    job = rewards.execute(rewards.start(rewards.plan_rollback(done.run)), PG_CLIENT_FOLDER=str(broken.folder))

    step = job.steps.get(name="keep")
    assert (job.state, step.state, job.applied) == ("succeeded", "skipped", 1), rewards.output
    assert step.summary.startswith("Not kept: public.ledger, public.users (backup-failed). pg_dump of ")
    assert sorted(step.evidence["not_kept"]) == ["public.ledger", "public.users"]
    assert rewards.tables() == set()
    assert files_in(store_of(rewards)) == set()
    assert not Backup.objects.exists()


def test_what_is_locked_after_its_size_was_read_is_not_kept_and_said(rewards, way_back, tmp_path, monkeypatch):
    monkeypatch.setattr("deployments.postgres.backup.dump.LOCK_WAIT_MILLISECONDS", 3000)
    ctx = way_back("DROP TABLE ledger")
    importer = rewards.connect(application_name="importer")

    class LateLock(Clients):
        """Is asked for programs when the snapshot is exported, before pg_dump begins."""

        def newest_for(self, server_version: int, *, tls: bool, is_protected: bool):
            importer.execute("BEGIN; LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")
            return Clients().newest_for(server_version, tls=tls, is_protected=is_protected)

    try:
        result = Keep().run(replace(ctx, clients=LateLock()))
    finally:
        importer.close()

    assert result.is_skipped
    assert re.search(r"^Not kept: public.ledger \(backup-failed\).*ledger is held by pid", result.summary)
    assert files_in(ctx.artifacts) == set()
    assert not Backup.objects.exists()


def test_a_sequence_and_the_types_of_a_kept_table_are_kept_with_it(way_back):
    """pg_dump leaves the types out when it is told tables: without them the kept table cannot be made again."""
    made = "CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE TYPE other AS ENUM ('x'); CREATE SEQUENCE numbers;"
    ctx = way_back(
        "DROP TABLE ledger; DROP SEQUENCE numbers",
        forward=f"{made} CREATE TABLE ledger (id int, mood mood, all_of mood[]); CREATE TABLE users (x other)",
    )

    kept = Keep().run(ctx)

    folder = ctx.artifacts.path(kept.evidence["place"])
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert manifest["enums"] == {"public.mood": ["good", "bad"]}
    assert any(" SEQUENCE SET public numbers " in line for line in contents(folder / "dump"))
