"""Restore and swap, killed at every named place: a whole database is open under the name, and the next goes on."""

import os
import signal
from pathlib import Path

import psycopg
import pytest

from deployments.crash import POINTS, VARIABLE
from deployments.postgres.connect import session
from deployments.postgres.errors import FenceLost
from deployments.postgres.ledger import raise_fence
from deployments.postgres.swap.pooler import Pooler
from deployments.postgres.swap.server import State
from deployments.postgres.swap.writes import stop_writes
from tests.postgres.places import Place
from tests.postgres.swaps import Bench, able, backed_up, swapper  # noqa: F401 # fixtures

PLACES = [name for name in POINTS if name.startswith(("restore-", "swap-", "writes-"))]
DIED, DID = -signal.SIGKILL, 0


@pytest.fixture
def bench(able: Place, tmp_path: Path):  # noqa: F811
    place = able
    place.do("CREATE TABLE ledger (points int)", "INSERT INTO ledger VALUES (1), (2)")
    made = Bench(place, tmp_path / "backup", backed_up(place, tmp_path / "backup"))
    place.do("INSERT INTO ledger VALUES (10)")
    yield made
    made.clean()


def in_a_process(work, *, crash_at: str = "") -> int:
    """Do something in a process of its own, which dies at that place; return how it ended, as subprocess tells it."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        os.environ[VARIABLE] = crash_at
        work()
        os._exit(DID)
    except BaseException:  # noqa: BLE001 # the test sees that it did not die
        os._exit(1)


def test_killed_anywhere_the_application_reaches_a_whole_database_and_the_next_executor_goes_on(bench: Bench, tmp_path):
    told = tmp_path / "told"
    command = tmp_path / "pooler"
    command.write_text(f"#!/bin/sh\ngrep -o 'before\\|after' >> '{told}'\n")
    command.chmod(0o755)
    pooler = Pooler(command)

    def whole(fence: int) -> None:
        """All that a restoring job does to a target, from wherever an earlier executor left it."""
        swap = bench.swap(fence=fence)
        found = bench.take_over(swap, pooler=pooler)
        if found.state is State.SWAPPED:
            return
        stop_writes(swap)
        if found.ready is None:
            bench.ready(swap)
        bench.exchange(swap, pooler=pooler)

    assert {"restore-filled", "writes-stopped", "swap-ready", "swap-renamed", "swap-committed"} <= set(PLACES)
    for fence, where in enumerate(PLACES, start=5):
        assert in_a_process(lambda fence=fence: whole(fence), crash_at=where) == DIED, where
        with psycopg.connect(bench.place.url, autocommit=True, connect_timeout=10) as app:
            found = app.execute("SELECT sum(points) FROM ledger").fetchone()
        assert found == ((3,) if where == "swap-committed" else (13,)), where
    last = 5 + len(PLACES)

    assert in_a_process(lambda: whole(last)) == DID

    swap = bench.swap(fence=last)
    bench.place.do("INSERT INTO ledger VALUES (4)")
    assert bench.place.rows("SELECT sum(points) FROM ledger") == [(7,)]
    assert bench.databases() == {bench.name: True, swap.names.kept: False}
    assert told.read_text().split()[-1] == "after"
    for fence in range(5, last):
        with session(bench.place.target) as opened, pytest.raises(FenceLost):
            raise_fence(opened, bench.place.target, bench.swap(fence=fence).holder)
