"""What is killed in the demo is killed and started again, and how often a row was written is asked of the rows."""

import os
import subprocess
import sys

import pytest

from controlplane.embedded.children import Children
from demo import killing, stage
from demo.identifiers import KEYS
from demo.killing import WRITTEN, children, lives, words
from demo.releases import release
from tests.demo.conftest import LEDGER_ROWS
from tests.demo.programs import eventually

PURCHASES = LEDGER_ROWS // 2
WAITS = "import sys; sys.stdin.read()"


@pytest.fixture
def filled(customer):
    later = release("2.6")
    customer.up_to(later)
    customer.run(later)
    return customer.as_owner()


def test_each_row_that_was_there_is_written_once(filled):
    filled.execute("INSERT INTO transactions (user_id, business_id, amount) VALUES (1, 1, 12.34)")

    assert filled.execute(WRITTEN, [PURCHASES]).fetchone() == (PURCHASES, 0, 0)


def test_a_row_that_is_written_twice_and_one_that_is_left_out_are_noticed(filled):
    filled.execute("UPDATE transactions SET revision = revision + 1 WHERE id = 7")
    filled.execute("UPDATE transactions SET revision = 0 WHERE id IN (8, 9)")

    assert filled.execute(WRITTEN, [PURCHASES]).fetchone() == (PURCHASES - 3, 1, 2)


def test_an_onlooker_notices_that_a_table_was_written_anew(customer):
    session = customer.as_owner()
    before = session.execute(KEYS).fetchall()
    assert [row[:2] for row in before] == [("point_ledger", "integer"), ("transactions", "integer")]

    customer.run(release("2.7"))

    after = session.execute(KEYS).fetchall()
    assert [row[1] for row in after] == ["bigint", "bigint"]
    assert not {row[2] for row in before} & {row[2] for row in after}


def test_processes_are_found_by_who_started_them_and_a_dead_one_is_not_alive():
    process = subprocess.Popen([sys.executable, "-c", WAITS, "marked"], stdin=subprocess.PIPE)
    try:
        assert process.pid in children(os.getpid())
        eventually(lambda: "marked" in words(process.pid))
        assert lives(process.pid)
    finally:
        process.kill()

    eventually(lambda: not lives(process.pid))  # it was not collected yet
    assert process.pid not in children(os.getpid())
    process.communicate()
    assert not lives(process.pid)
    assert words(process.pid) == []


def test_a_worker_that_was_killed_is_started_again_and_nothing_else_is(tmp_path, monkeypatch):
    monkeypatch.setattr(stage.local, "WORKER", ("-c", WAITS, "celery", "worker"))
    with Children() as started:
        place = stage.Stage(tmp_path, None, None, started, dict(os.environ))
        worker, other = (
            started.start([sys.executable, "-c", "", name], known_by=name, environment=os.environ, cwd=tmp_path)
            for name in ("celery", "dispatch")
        )
        for one in (worker, other):
            one.wait()
        assert started.ended is worker
        place.revive()
        assert started.ended is other
        eventually(lambda: any("celery" in words(pid) for pid in children(os.getpid())))
        place.revive()
        assert started.ended is other


def test_there_is_no_backfill_to_be_killed_without_a_run(database):
    assert killing.backfill() is None
