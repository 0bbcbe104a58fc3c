"""What we deploy and roll back, as the real Prisma CLI sees it."""

import pytest
from django.db.models.functions import Now

from checks.layouts import named, read_files
from deployments.models import Job
from deployments.planning import NothingToDo
from deployments.postgres.catalog import snapshot
from deployments.postgres.errors import LayoutUnfinished
from deployments.postgres.history.prisma import TABLE
from tests.engine.conftest import SHORT_LEASE
from tests.engine.processes import eventually
from tests.prisma.cli import HERE

FIRST, SECOND, THIRD = "20260101000000_ledger", "20260102000000_points", "20260103000000_users"
UP_TO_DATE, NOTHING_PENDING = "Database schema is up to date!", "No pending migrations to apply."


@pytest.fixture
def three(shop):
    shop.write(FIRST, "CREATE TABLE ledger (id int PRIMARY KEY);", "DROP TABLE ledger;")
    shop.write(SECOND, "-- points\r\nALTER TABLE ledger ADD points int;\r\n", "ALTER TABLE ledger DROP points;")
    shop.write(THIRD, "", "SELECT 1;")
    return shop


def test_after_our_deploy_prisma_finds_everything_applied_and_nothing_to_do(three):
    job = three.deploy()
    assert (job.state, job.applied) == ("succeeded", 3), three.output
    before = three.rows()

    status, deploy = three.prisma("status"), three.prisma("deploy")

    assert (status.status, deploy.status) == (0, 0), status.output + deploy.output
    assert UP_TO_DATE in status.output
    assert NOTHING_PENDING in deploy.output
    assert three.rows() == before


def test_our_table_and_our_rows_are_what_prisma_writes(three):
    assert three.prisma("deploy", database=three.production).status == 0
    three.deploy()

    def written(database):
        with three.connect(database) as opened, opened.transaction():
            objects = snapshot(opened)
            columns = opened.execute(
                "SELECT attname, attnum FROM pg_attribute WHERE attrelid = '_prisma_migrations'::regclass"
            ).fetchall()
        return {name: record for name, record in objects.items() if "_prisma_migrations" in name}, columns

    ours, theirs = three.rows(), three.rows(three.production)
    assert written(three.staging) == written(three.production)
    assert len(written(three.staging)[0]) == 1
    own = {"id", "started_at", "finished_at"}
    assert [strip(row, own) for row in ours] == [strip(row, own) for row in theirs]
    assert [row["migration_name"] for row in ours] == [FIRST, SECOND, THIRD]
    for row in ours + theirs:
        assert (len(row["id"]), row["id"][14]) == (36, "4")
        assert row["started_at"] <= row["finished_at"]


def strip(row: dict, names: set[str]) -> dict:
    return {name: value for name, value in row.items() if name not in names}


def test_what_prisma_deployed_is_adopted_and_only_the_rest_is_run(shop):
    shop.write(FIRST, "CREATE TABLE ledger (id int);")
    shop.write(SECOND, "ALTER TABLE ledger ADD points int;")
    assert shop.prisma("deploy").status == 0
    theirs = shop.rows()
    assert shop.applied() == [FIRST, SECOND]
    shop.write(THIRD, "CREATE TABLE users (id int);")

    job = shop.deploy()

    assert [entry["name"] for entry in job.run.plan["migrations"]] == [THIRD]
    assert (job.state, job.applied) == ("succeeded", 1), shop.output
    assert shop.history() == [(THIRD, "forward")]
    assert shop.rows()[:2] == theirs
    assert UP_TO_DATE in shop.prisma("status").output
    with pytest.raises(NothingToDo):
        shop.plan()


def test_after_our_rollback_prisma_names_exactly_that_migration_as_pending(three):
    assert three.prisma("deploy").status == 0
    last = "20260104000000_last"
    three.write(last, "CREATE TABLE last (id int);", "DROP TABLE last;")
    run = three.deploy().run
    (kept,) = [row for row in three.rows() if row["migration_name"] == last]

    job = three.execute(three.start(three.plan_rollback(run)))

    assert (job.state, three.tables()) == ("succeeded", {"ledger", "_prisma_migrations"}), three.output
    status = three.prisma("status")
    assert status.status == 1
    assert "have not yet been applied" in status.output
    assert status.names == [last]
    with three.connect() as opened:
        (copy,) = opened.execute("SELECT layout_row FROM locktender.history ORDER BY id DESC LIMIT 1").fetchone()
    assert [(row["id"], row["migration_name"]) for row in copy] == [(kept["id"], last)]

    deploy = three.prisma("deploy")  # Prisma takes it for new, and applies it again
    assert (deploy.status, deploy.names) == (0, [last])


def test_the_history_that_our_first_deploy_makes_is_no_difference_after_its_way_back(three):
    run = three.deploy().run

    job = three.execute(three.start(three.plan_rollback(run)))

    assert three.tables() == {"_prisma_migrations"}
    assert job.steps.get(name="checks after").summary.startswith(f"Schema equal to before run {run}: yes.")


def test_what_a_lost_executor_committed_stands_once_in_prismas_history_too(three):
    three.sync()
    job = three.start(three.plan())
    three.execute(job, LOCKTENDER_CRASH_AT="migration-committed", **SHORT_LEASE)
    assert [row["migration_name"] for row in three.rows()] == [FIRST]
    eventually(lambda: Job.objects.filter(pk=job.pk, lease_until__lt=Now()).exists())

    job = three.execute(job)

    assert (job.state, job.claims, job.applied) == ("succeeded", 2, 3), three.output
    assert [row["migration_name"] for row in three.rows()] == [FIRST, SECOND, THIRD]
    assert UP_TO_DATE in three.prisma("status").output


def test_a_failed_migration_leaves_no_row_and_prisma_takes_it_for_pending(three):
    three.write(SECOND, "CREATE TABLE half (id int); SELECT 1 / 0;")

    job = three.deploy()

    assert (job.state, job.error_code, job.applied) == ("failed", "statement-failed", 1)
    assert [row["migration_name"] for row in three.rows()] == [FIRST]
    assert "half" not in three.tables()
    status = three.prisma("status")
    assert (status.status, status.names) == (1, [SECOND, THIRD])
    assert "failed" not in status.output

    three.write(SECOND, "ALTER TABLE ledger ADD points int;")
    assert three.prisma("deploy").status == 0  # no P3009: nothing is in its way
    assert three.applied() == [FIRST, SECOND, THIRD]


def test_what_failed_under_prisma_stops_us_as_it_stops_prisma_until_it_is_resolved(three):
    three.write(SECOND, "ALTER TABLE nowhere ADD points int;")
    assert three.prisma("deploy").status == 1
    assert "P3009" in three.prisma("deploy").output

    three.sync()
    with pytest.raises(LayoutUnfinished, match=f"{SECOND}. Prisma refuses"):
        three.plan()

    assert three.prisma("resolve", "--applied", SECOND).status == 0
    job = three.deploy()
    assert [entry["name"] for entry in job.run.plan["migrations"]] == [THIRD]
    assert UP_TO_DATE in three.prisma("status").output


ROW = "('{id}', 'of another time', {finished}, '20260101000000_ledger', NULL, {back}, now() - '{age} h'::interval, 1)"
FINISHED = {"finished": "now()", "back": "NULL"}
ROLLED_BACK = {"finished": "NULL", "back": "now()"}
BOTH = {"finished": "now()", "back": "now()"}
OPEN = {"finished": "NULL", "back": "NULL"}


@pytest.mark.parametrize(
    ("older", "newer", "answer"),
    [
        (ROLLED_BACK, FINISHED, "applied"),
        (FINISHED, ROLLED_BACK, "applied"),
        (ROLLED_BACK, BOTH, "pending"),
        (OPEN, FINISHED, "refused"),
        (FINISHED, OPEN, "refused"),
    ],
)
def test_of_several_rows_of_a_migration_we_make_what_prisma_makes(shop, older, newer, answer):
    shop.write(FIRST, "CREATE TABLE ledger (id int);")
    with shop.connect() as opened:
        opened.execute(TABLE)
        for age, row in ((2, older), (1, newer)):
            opened.execute(f"INSERT INTO _prisma_migrations VALUES {ROW.format(id=age, age=age, **row)}")

    def ours() -> str:
        try:
            return "applied" if shop.applied() else "pending"
        except LayoutUnfinished:
            return "refused"

    assert ours() == answer
    deploy = shop.prisma("deploy")
    theirs = "refused" if "P3009" in deploy.output else "applied" if NOTHING_PENDING in deploy.output else "pending"
    assert theirs == answer, deploy.output
    assert ("ledger" in shop.tables()) == (answer == "pending")


def test_our_order_is_the_one_prisma_applies_in(shop):
    names = ["0_init", "1_x", "10_x", "20260101_a", "20260101_B", "20260101_b_c", "20260101_b1", "9_y", "0001_z"]
    for name in names:
        shop.write(name, "SELECT 1;")

    deploy = shop.prisma("deploy")

    layout = named("prisma")
    read = [one.name for one in layout.read(read_files(shop.project.folder, layout))]
    assert (deploy.status, deploy.names) == (0, read), deploy.output
    assert set(read) == set(names)


def test_the_list_of_packages_names_no_host():
    assert "://" not in (HERE / "package-lock.json").read_text()
