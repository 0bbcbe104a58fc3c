"""The kit of docs/operations.md for the day without Locktender: its SQL is run here, so that it stays true."""

import re
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django.db.models.functions import Now

from deployments.actors import COMMAND_LINE
from deployments.crash import VARIABLE
from deployments.models import Job
from deployments.pipelines.adopting import readopt_database
from deployments.pipelines.observing import target_of
from deployments.postgres.connect import session
from deployments.postgres.history import PrismaHistory
from deployments.postgres.history.prisma import TABLE
from tests.engine.conftest import SHORT_LEASE, Rewards
from tests.engine.processes import eventually

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
KIT = {
    name: (place, text)
    for name, place, text in re.findall(
        r"```sql\n-- kit: ([a-z-]+), in the (target|control database)\n(.*?)```", DOCUMENT.read_text(), re.DOTALL
    )
}


def sql_of(name: str, *, script: str = "", **values: object) -> str:
    """Return a piece of the kit with its values, as psql would put them in."""
    text = KIT[name][1].replace("-- the script\n", f"{script};\n" if script else "")
    for key, value in values.items():
        text = text.replace(f":'{key}'", f"'{value}'").replace(f":{key}", str(value))
    assert not re.search(r":'?[a-z]+'?", text.replace("::", "")), f"a value is missing in {name}"
    return text


def here(name: str, **values: object) -> list[dict[str, object]]:
    assert KIT[name][0] == "control database"
    with connection.cursor() as cursor:
        cursor.execute(sql_of(name, **values).replace("%", "%%"))
        columns = [one.name for one in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def there(rewards: Rewards, name: str, **values: object) -> list[tuple]:
    assert KIT[name][0] == "target"
    with rewards.connect() as opened:
        done = opened.execute(sql_of(name, **values).encode())
        return done.fetchall() if done.description else []


def dead_at(rewards: Rewards, point: str) -> Job:
    job = rewards.start(rewards.plan())
    rewards.execute(job, **{VARIABLE: point}, **SHORT_LEASE)
    eventually(lambda: Job.objects.filter(pk=job.pk, lease_until__lt=Now()).exists())
    return job


def taken_up_again(rewards: Rewards, job: Job) -> Job:
    """Re-adopt the target once nothing is open there, and bring the run to its end."""
    rewards.environment |= {"LEASE": "10", "SILENCE": "8"}
    refused = rewards.execute(job)
    assert (refused.state, refused.error_code) == ("failed", "fence-ahead")
    readopt_database(rewards.staging, reason="Finished by hand", actor=COMMAND_LINE)
    return refused


def test_a_run_whose_executor_died_is_finished_by_hand_and_the_next_plan_is_the_rest(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    rewards.write("002_users", "CREATE TABLE users (id int)", "DROP TABLE users")
    rewards.sync()
    job = dead_at(rewards, "before-commit")

    (open_job,) = here("open-jobs")
    assert (open_job["job"], open_job["state"], open_job["is_lost"], open_job["target"]) == (
        job.pk,
        "running",
        True,
        "staging",
    )
    first, second = here("plan-of-job", job=job.pk)
    (script,) = here("script", sha256=first["forward_sha256"])[0].values()
    assert script == "CREATE TABLE ledger (id int)"
    assert (there(rewards, "committed"), there(rewards, "statements")) == ([], [])
    with rewards.connect(application_name=f"locktender/job={job.pk}/fence=1") as left:
        assert (left.info.backend_pid, left.info.parameter_status("application_name")) in {
            row[:2] for row in there(rewards, "sessions")
        }
        there(rewards, "shut-out")
        with pytest.raises(psycopg.OperationalError):
            left.execute("SELECT 1")
    there(
        rewards,
        "finish",
        script=script,
        run=open_job["run"],
        job=job.pk,
        migration=first["migration"],
        checksum=first["checksum"],
        sha256=first["forward_sha256"],
    )

    assert [row[6:7] + row[3:4] for row in there(rewards, "committed")] == [("forward", job.pk)]
    assert (rewards.tables(), second["migration"]) == ({"ledger"}, "002_users")
    assert taken_up_again(rewards, job).applied == 1
    after = rewards.execute(rewards.start(rewards.plan()))
    assert [entry["name"] for entry in after.run.plan["migrations"]] == ["002_users"]
    assert (after.state, rewards.tables()) == ("succeeded", {"ledger", "users"}), after.error


def test_what_was_deployed_is_undone_by_hand_and_is_pending_again(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    job = rewards.deploy()
    (planned,) = here("plan-of-job", job=job.pk)
    values = {"migration": planned["migration"], "checksum": planned["checksum"], "sha256": planned["rollback_sha256"]}

    there(rewards, "undo", script="DROP TABLE ledger", **values)

    assert rewards.tables() == set()
    again = rewards.execute(rewards.start(rewards.plan()))
    assert (again.state, rewards.tables()) == ("succeeded", {"ledger"}), again.error
    with rewards.connect() as opened:
        assert opened.execute("SELECT job FROM locktender.history ORDER BY id").fetchall() == [
            (job.pk,),
            (-1,),
            (again.pk,),
        ]


def test_statements_that_run_alone_are_written_down_by_hand_one_by_one(rewards):
    with rewards.connect() as opened:
        opened.execute("CREATE TABLE users (id int, name text)")
    rewards.write("001_index", "CREATE INDEX CONCURRENTLY by_id ON users (id); VACUUM users")
    rewards.sync()
    job = dead_at(rewards, "statement-acted")
    key = {"job": job.pk, "migration": "001_index"}

    there(rewards, "statement-done", position=1, **key)
    assert [row[3:5] for row in there(rewards, "statements")] == [(1, "done")]
    there(rewards, "statement-not-done", position=1, **key)
    assert [row[3:5] for row in there(rewards, "statements")] == [(1, "done")], "what is done is not forgotten"

    rewards.environment |= {"LEASE": "10", "SILENCE": "8"}
    done = rewards.execute(job)
    assert (done.state, done.applied) == ("succeeded", 1), done.error


def test_prismas_history_is_kept_by_hand_as_prisma_keeps_it(rewards):
    values = {"migration": "20261102_points_fill", "checksum": "c0ffee", "sha256": "5ca1ab1e"}
    with rewards.connect() as opened:
        opened.execute(TABLE)

    there(rewards, "finish-prisma", migration=values["migration"], checksum=values["checksum"])
    assert applied_by_prisma(rewards) == [("20261102_points_fill", "c0ffee")]

    there(rewards, "undo-prisma", **values)
    assert applied_by_prisma(rewards) == []
    with rewards.connect() as opened:
        run, job, row = opened.execute("SELECT run, job, layout_row FROM locktender.history").fetchone()
    assert (run, job, [one["checksum"] for one in row]) == (0, -1, ["c0ffee"])


def applied_by_prisma(rewards: Rewards) -> list[tuple[str, str]]:
    place = target_of(rewards.staging)
    with session(place) as opened:
        return [(one.name, one.checksum) for one in PrismaHistory().applied(opened, place)]


def test_every_piece_of_the_kit_is_run_by_a_test_above():
    """By their names in this file, so that it holds in whatever order and process they run."""
    text = Path(__file__).read_text()

    assert len(KIT) >= 12
    assert [name for name in KIT if f'"{name}"' not in text] == []
