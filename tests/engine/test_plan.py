"""From files to a frozen plan, and everything that is refused on the way."""

import uuid

import pytest

from checks.budget import DEFAULT
from checks.errors import CheckError
from checks.policy import requirements
from checks.risk import Risk
from deployments import planning
from deployments.authority import NotAllowed
from deployments.models import Application, Database, Migration, MigrationRun, Release
from deployments.selectors.audit import events_about
from deployments.selectors.runs import unmet_of
from deployments.services import plan_refusals as planned
from deployments.services.plan import request_deploy
from deployments.sources.folder import SourceUnknown, read
from tests.engine.conftest import actor


def test_the_same_bytes_are_nothing_new(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    first, again = rewards.sync(), rewards.sync()

    assert (first.new, again.new, again.changed) == (("001_ledger",), (), ())
    assert first.release == again.release
    assert Release.objects.count() == 1
    assert events_about(first.release).count() == 1


def test_other_bytes_under_the_same_name_are_another_migration(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()
    rewards.write("001_ledger", "CREATE TABLE ledger (id bigint)")

    again = rewards.sync()

    assert (again.new, again.changed, again.violations) == ((), ("001_ledger",), ())
    assert Migration.objects.filter(name="001_ledger").count() == 2


def test_changing_an_applied_migration_is_a_violation_and_blocks_the_plan(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.deploy()
    rewards.write("001_ledger", "CREATE TABLE ledger (id bigint)")

    assert rewards.sync().violations == ("001_ledger",)
    with pytest.raises(planning.EditedAfterApplied, match="changed in the source since: 001_ledger"):
        rewards.plan()
    assert MigrationRun.objects.count() == 1


def test_changing_only_a_rollback_is_no_violation(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "SELECT 1")
    rewards.deploy()
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")

    again = rewards.sync()

    assert (again.changed, again.violations) == (("001_ledger",), ())


def test_nothing_pending_is_said_as_such(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.deploy()

    with pytest.raises(planning.NothingToDo, match="rewards/staging already has the one migration"):
        rewards.plan()


def test_a_migration_before_an_applied_one_is_out_of_order(rewards):
    rewards.write("002_users", "CREATE TABLE users (id int)")
    rewards.deploy()
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()

    with pytest.raises(planning.OutOfOrder, match="002_users is applied, but earlier ones are not: 001_ledger"):
        rewards.plan()


def test_an_applied_migration_that_the_release_does_not_have_blocks_the_plan(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.deploy()
    for path in rewards.source.iterdir():
        path.unlink()
    rewards.write("002_users", "CREATE TABLE users (id int)")
    rewards.sync()

    with pytest.raises(planning.HistoryUnknown, match="does not have: 001_ledger"):
        rewards.plan()


def test_without_a_rollback_nothing_is_planned_for_production(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", rollback=None)
    rewards.sync()

    assert rewards.plan(rewards.staging).state == "awaiting"
    with pytest.raises(planning.RollbackMissing, match="Without a rollback script: 001_ledger"):
        rewards.plan(rewards.production)


@pytest.mark.parametrize(
    ("forward", "code"),
    [
        ("SELEC 1", "unparsable-sql"),
        ("CREATE TABLE a (id int); COMMIT; CREATE TABLE b (id int)", "transaction-control"),
        ("CREATE TABLE a (id int); CREATE INDEX CONCURRENTLY i ON a (id)", "mixed-transaction"),
        ("SET ROLE postgres", "session-role-change"),
        ("CREATE INDEX CONCURRENTLY ON ledger (id)", "index-unnamed-concurrently"),
    ],
)
def test_what_cannot_be_run_as_it_stands_is_refused_with_its_line(rewards, forward, code):
    rewards.write("001_bad", f"-- a comment\n{forward}")
    rewards.sync()

    with pytest.raises(planning.PlanBlocked, match=rf"001_bad, line 2: .*\({code}\)"):
        rewards.plan(rewards.production)
    assert not MigrationRun.objects.exists()


def test_a_database_that_was_never_read_is_not_planned_for(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()

    with pytest.raises(planning.NotObserved, match=r"manage.py observe rewards/staging/staging"):
        request_deploy(rewards.staging.environment, reason="x", request_key=uuid.uuid4(), actor=actor("dana"))


def test_databases_of_one_environment_that_differ_are_refused(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.deploy()
    second = Database.objects.create(
        environment=rewards.staging.environment, name="second", position=2, connection="env:X"
    )
    seen = rewards.observe(rewards.staging)
    seen.pk, seen.database, seen.history, seen.history_hash = None, second, [], "other"
    seen.save(force_insert=True)
    rewards.write("002_users", "CREATE TABLE users (id int)")
    rewards.sync()

    with pytest.raises(planning.DatabasesDiffer):
        rewards.plan()


def test_a_reason_and_a_release_are_needed(rewards):
    with pytest.raises(planned.NoRelease, match=r"manage.py sync rewards"):
        rewards.plan()
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()
    with pytest.raises(planned.ReasonMissing):
        rewards.plan(reason="  ")
    assert not MigrationRun.objects.exists()


def test_the_same_plan_is_open_once_and_a_double_submit_is_recognised(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()
    run = rewards.plan()

    with pytest.raises(planned.AlreadyOpen, match="Run #1 is open with the same plan"):
        rewards.plan()
    with pytest.raises(planned.AlreadyRequested, match="made run #1 already"):
        request_deploy(rewards.staging.environment, reason="x", request_key=run.request_key, actor=actor("dana"))
    assert MigrationRun.objects.count() == 1


def test_who_may_not_ask_is_told_why(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()
    rewards.observe(rewards.staging)

    with pytest.raises(NotAllowed, match="that takes the role DBA or Developer or On-call"):
        request_deploy(rewards.staging.environment, reason="x", request_key=uuid.uuid4(), actor=actor("mika"))


def test_a_plan_is_digested_with_its_world_and_its_rules(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()
    plan = rewards.plan(rewards.production).plan

    assert plan["class"] == "safe"
    assert plan["requirements"] == requirements({}, protected=True, risk=Risk.SAFE).as_plan()
    assert plan["budget"] == DEFAULT
    assert plan["smoke"] is None
    assert plan["databases"][0]["database_name"].endswith("_production")
    assert [entry["name"] for entry in plan["migrations"]] == ["001_ledger"]


def test_production_waits_for_staging(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()
    run = rewards.plan(rewards.production)

    assert [one.rule for one in unmet_of(run)] == ["staging-first"]
    rewards.deploy(rewards.staging)
    assert unmet_of(run) == ()


def test_an_object_that_the_plan_does_not_touch_may_change(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.deploy()
    rewards.write("002_points", "ALTER TABLE ledger ADD points int")
    rewards.sync()
    job = rewards.start(rewards.plan())
    with rewards.connect() as application:
        application.execute("CREATE TABLE unrelated (id int)")

    assert rewards.execute(job).state == "succeeded"


def test_a_touched_object_that_changed_since_stops_the_run_before_anything_happens(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.deploy()
    rewards.write("002_points", "ALTER TABLE ledger ADD points int")
    rewards.sync()
    job = rewards.start(rewards.plan())
    with rewards.connect() as application:
        application.execute("ALTER TABLE ledger ADD by_hand int")

    job = rewards.execute(job)

    assert (job.state, job.plan_moved, job.run.state, job.applied) == ("cancelled", True, "superseded", 0)
    assert "the objects that the plan touches have changed" in job.error
    assert rewards.history() == [("001_ledger", "forward")]
    assert MigrationRun.objects.get(supersedes=job.run).state == "awaiting"


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"001_a.up.sql": b"SELECT 1", "1_b.up.sql": b"SELECT 1"}, "duplicate-version"),
        ({"001_a.up.sql": b"SELECT '\xff'"}, "not-utf-8"),
        ({"001_a.down.sql": b"SELECT 1"}, "forward-missing"),
        ({"001_a.up.sql": b"SELECT 1", "junk.sql": b"SELECT 1"}, "unrecognised-file"),
        ({}, "folder-empty"),
    ],
)
def test_files_that_make_no_sense_are_refused_and_the_record_stays_as_it_was(rewards, files, code):
    for name, body in files.items():
        (rewards.source / name).write_bytes(body)

    with pytest.raises(CheckError) as refusal:
        rewards.sync()

    assert refusal.value.code == code
    assert not Migration.objects.exists()


def test_a_missing_folder_a_symlink_outside_and_an_unknown_source_are_refused(rewards, tmp_path):
    application = Application.objects.get()
    (tmp_path / "secret").write_text("SELECT 1")
    (rewards.source / "001_a.up.sql").symlink_to(tmp_path / "secret")
    with pytest.raises(CheckError) as outside:
        read(application)
    assert outside.value.code == "symlink-outside"

    application.source = f"folder:{tmp_path}/nowhere"
    with pytest.raises(CheckError) as missing:
        read(application)
    assert missing.value.code == "folder-missing"

    application.source = "ftp://example"
    with pytest.raises(SourceUnknown, match="folder:PATH"):
        read(application)
