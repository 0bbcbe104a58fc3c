"""Prisma's lock while we hold it: those who wait for it do not hold up an index that is built concurrently."""

from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from deployments.postgres.history import PrismaHistory
from deployments.postgres.history.prisma import LOCK
from tests.postgres.places import LIMITS, Place, script

INDEX = "CREATE INDEX CONCURRENTLY by_id ON ledger (id)"
SHORT = replace(LIMITS, statement_timeout=timedelta(seconds=20))  # a build that hangs fails the test, not the suite


def waiters(place: Place) -> list[int]:
    query = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND NOT granted"
    return [pid for (pid,) in place.rows(query, LOCK)]


def test_whoever_waits_for_prismas_lock_does_not_hold_up_an_index_that_is_built_concurrently(
    place, meanwhile, eventually
):
    place.do("CREATE TABLE ledger (id int)")
    shop, prisma = place.connect(), place.connect("prisma")
    shop.execute("BEGIN")
    shop.execute("INSERT INTO ledger VALUES (1)")
    with place.desk(history=PrismaHistory(), limits=SHORT) as desk:
        desk.guard.hold_layout_lock(LOCK)
        building = meanwhile(desk.run, script(INDEX))
        eventually(lambda: place.sessions("query LIKE 'CREATE INDEX%' AND wait_event_type = 'Lock'"))
        waiting = meanwhile(prisma.execute, "SELECT pg_advisory_lock(%s)", [LOCK])  # with an older snapshot
        eventually(lambda: waiters(place) == [prisma.info.backend_pid])

        shop.execute("COMMIT")
        building.result(60)

        with pytest.raises(psycopg.errors.QueryCanceled):
            waiting.result(60)
    assert place.indexes()["by_id"] is True
    assert place.history() == [("001_ledger", "forward")]


def test_whoever_waits_for_prismas_lock_without_being_in_the_way_gets_it_after_us(place, meanwhile, eventually):
    prisma = place.connect("prisma")
    with place.desk(history=PrismaHistory()) as desk:
        desk.guard.hold_layout_lock(LOCK)
        waiting = meanwhile(prisma.execute, "SELECT pg_advisory_lock(%s)", [LOCK])
        eventually(lambda: waiters(place) == [prisma.info.backend_pid])
        desk.run(script("CREATE TABLE ledger (id int); SELECT pg_sleep(0.2)"))
        assert waiters(place) == [prisma.info.backend_pid]

    waiting.result(60)
    assert place.history() == [("001_ledger", "forward")]
