"""Prisma's own history: what it calls applied, and what is written into it. The real CLI is asked in tests/prisma."""

import hashlib
import os
from dataclasses import replace

import pytest
from psycopg import sql

from deployments.postgres.connect import Target, session
from deployments.postgres.errors import LayoutUnfinished, PrivilegeMissing
from deployments.postgres.history import PrismaHistory
from deployments.postgres.history.prisma import LOCK, TABLE
from deployments.postgres.ledger import ROLLBACK
from deployments.postgres.stopped import AlreadyApplied, LayoutLockHeld, StatementFailed
from tests.postgres.places import Desk, Place, script

FIRST, SECOND = "20260101000000_ledger", "20260102000000_points"
LEDGER = "CREATE TABLE ledger (id int)"
COLUMNS = "migration_name, checksum, finished_at, logs, rolled_back_at, applied_steps_count"


def run(place: Place, text: str, name: str = FIRST, **options) -> Desk:
    return place.run(text, name, history=PrismaHistory(), **options)


def roll_back(place: Place, text: str, name: str = FIRST, **options) -> None:
    with place.desk(history=PrismaHistory(), **options) as desk:
        desk.run(script(text, name, direction=ROLLBACK))


def applied(place: Place, target: Target | None = None) -> list[str]:
    with session(target or place.target) as opened:
        return [one.name for one in PrismaHistory().applied(opened, target or place.target)]


def rows(place: Place, schema: str = "public") -> list[tuple]:
    return place.rows(
        "SELECT migration_name, finished_at >= started_at, rolled_back_at IS NOT NULL, applied_steps_count"
        f" FROM {schema}._prisma_migrations ORDER BY started_at"
    )


def by_prisma(place: Place, name: str, *, at: int, finished: str = "now()", rolled_back: str = "NULL") -> None:
    """Write a row as Prisma would have, `at` hours after it was first used."""
    if "_prisma_migrations" not in place.tables():
        place.do(TABLE)
    place.do(
        "INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, rolled_back_at, started_at)"
        f" VALUES (gen_random_uuid(), 'from Prisma', {finished}, '{name}', {rolled_back},"
        f" '2026-01-01'::timestamptz + '{at} hours')"
    )


def test_a_database_that_prisma_never_saw_has_nothing_applied(place):
    assert applied(place) == []
    assert place.tables() == set()


def test_the_first_migration_makes_the_table_and_each_has_its_row(place):
    run(place, LEDGER)
    run(place, "ALTER TABLE ledger ADD points int", SECOND)

    assert applied(place) == [FIRST, SECOND]
    assert rows(place) == [(FIRST, True, False, 1), (SECOND, True, False, 1)]
    (written,) = place.rows(f"SELECT {COLUMNS}, id FROM _prisma_migrations WHERE migration_name = '{FIRST}'")
    checksum = hashlib.sha256(LEDGER.encode()).hexdigest()
    assert (written[0], written[1], written[3], written[4], written[5]) == (FIRST, checksum, None, None, 1)
    assert (len(written[6]), written[6][14]) == (36, "4")
    assert place.rows("SELECT migration, checksum, layout_row FROM locktender.history ORDER BY id LIMIT 1") == [
        (FIRST, checksum, None)
    ]


def test_a_failed_migration_leaves_no_row_and_not_even_the_table(place):
    with pytest.raises(StatementFailed):
        run(place, f"{LEDGER}; INSERT INTO nowhere VALUES (1)")

    assert (place.tables(), place.history()) == (set(), [])


def test_prismas_row_and_ours_stand_together_or_not_at_all(place):
    run(place, LEDGER)
    place.do("ALTER TABLE locktender.history ADD CHECK (direction = 'forward' AND migration = 'none') NOT VALID")

    with pytest.raises(StatementFailed, match="SQLSTATE 23514"):
        run(place, "CREATE TABLE later (id int)", SECOND)
    with pytest.raises(StatementFailed, match="SQLSTATE 23514"):
        roll_back(place, "DROP TABLE ledger", job=2)

    assert place.tables() == {"ledger", "_prisma_migrations"}
    assert [name for name, *_ in rows(place)] == [name for name, _ in place.history()] == [FIRST]


@pytest.mark.parametrize(
    "change",
    [
        "SET search_path = ''",
        "SET LOCAL search_path = elsewhere",
        "SELECT pg_catalog.set_config('search_path', '', false)",
        "SET LOCAL search_path = elsewhere; SET search_path = 'elsewhere'",
    ],
)
def test_a_script_that_changes_the_search_path_does_not_move_the_history(place, change):
    place.do("CREATE SCHEMA elsewhere")

    run(place, f"{change}; CREATE TABLE public.ledger (id int)")
    run(place, f"{change}; CREATE TABLE public.later (id int)", SECOND)
    roll_back(place, f"{change}; DROP TABLE public.later", SECOND, job=2)

    assert [name for name, *_ in rows(place)] == [FIRST]
    assert place.rows("SELECT schemaname FROM pg_tables WHERE tablename = '_prisma_migrations'") == [("public",)]


def test_the_history_is_where_the_search_path_of_the_connection_leads(place, monkeypatch):
    place.do("CREATE SCHEMA app")
    by_prisma(place, "20250101000000_of_another_application", at=0)
    target = place.at(f"{place.url} options=-csearch_path=app", monkeypatch)

    run(place, LEDGER, target=target)

    assert [name for name, *_ in rows(place, "app")] == [FIRST]
    assert applied(place, target) == [FIRST]
    assert applied(place) == ["20250101000000_of_another_application"]


def test_rows_of_prisma_are_adopted_in_the_order_it_started_them(place):
    by_prisma(place, "20260103000000_late_in_name", at=1)
    by_prisma(place, FIRST, at=2, finished="NULL", rolled_back="now()")
    by_prisma(place, SECOND, at=3, rolled_back="now()")
    by_prisma(place, FIRST, at=4)

    assert applied(place) == ["20260103000000_late_in_name", FIRST]


def test_what_prisma_applied_is_not_run_again_but_can_be_rolled_back(place):
    place.do(LEDGER)
    by_prisma(place, FIRST, at=1)

    with pytest.raises(AlreadyApplied):
        run(place, "INSERT INTO ledger VALUES (1)")
    assert (place.rows("SELECT * FROM ledger"), place.history()) == ([], [])

    roll_back(place, "DROP TABLE ledger")

    assert (place.tables(), rows(place)) == ({"_prisma_migrations"}, [])
    assert place.history() == [(FIRST, "rollback")]
    with pytest.raises(AlreadyApplied):
        roll_back(place, "CREATE TABLE twice (id int)", job=2)
    assert place.tables() == {"_prisma_migrations"}


def test_a_rollback_takes_every_row_of_its_migration_and_keeps_a_copy(place):
    run(place, LEDGER)
    by_prisma(place, SECOND, at=-9, finished="NULL", rolled_back="now()")
    run(place, "ALTER TABLE ledger ADD points int", SECOND)
    before = place.rows(
        "SELECT to_jsonb(line) FROM _prisma_migrations line WHERE migration_name = %s ORDER BY started_at", SECOND
    )

    roll_back(place, "ALTER TABLE ledger DROP points", SECOND, job=2)

    assert [name for name, *_ in rows(place)] == [FIRST]
    copies = place.rows("SELECT direction, layout_row FROM locktender.history ORDER BY id")
    assert copies == [("forward", None), ("forward", None), ("rollback", [row for (row,) in before])]
    assert len(before) == 2


def test_what_was_rolled_back_can_be_applied_again(place):
    run(place, LEDGER)
    roll_back(place, "DROP TABLE ledger", job=2)
    run(place, LEDGER, job=3)

    assert applied(place) == [FIRST]
    assert [direction for _, direction in place.history()] == ["forward", "rollback", "forward"]


def test_what_prisma_began_and_did_not_finish_stops_everything_until_it_is_resolved(place):
    by_prisma(place, FIRST, at=1, finished="NULL")
    place.do(f"UPDATE _prisma_migrations SET logs = 'it failed' WHERE migration_name = '{FIRST}'")

    with pytest.raises(LayoutUnfinished, match=rf"{FIRST}.*resolve --applied {FIRST}.*--rolled-back"):
        applied(place)
    with pytest.raises(LayoutUnfinished):
        run(place, "CREATE TABLE later (id int)", SECOND)
    assert (place.tables(), place.history()) == ({"_prisma_migrations"}, [])

    place.do("UPDATE _prisma_migrations SET rolled_back_at = now()")
    run(place, LEDGER)
    assert applied(place) == [FIRST]


def test_an_unfinished_row_while_prisma_holds_its_lock_is_prisma_at_work(place):
    by_prisma(place, FIRST, at=1, finished="NULL")
    prisma = place.connect("npx prisma")
    prisma.execute("SELECT pg_advisory_lock(%s)", [LOCK])

    with pytest.raises(LayoutLockHeld, match=f"npx prisma, pid {prisma.info.backend_pid}"):
        applied(place)

    prisma.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
    with place.desk() as desk:
        desk.guard.hold_layout_lock(LOCK)  # ours says nothing about Prisma
        with pytest.raises(LayoutUnfinished):
            applied(place)


def test_an_index_built_outside_a_transaction_has_its_row_once_it_is_there(place):
    place.do(LEDGER)
    seen: list[object] = []

    run(place, "CREATE INDEX CONCURRENTLY by_id ON ledger (id)", tell=lambda _: seen.extend(place.tables()))
    assert (applied(place), seen) == ([FIRST], ["ledger"])

    with pytest.raises(AlreadyApplied):
        run(place, "CREATE INDEX CONCURRENTLY twice ON ledger (id)", job=2)
    with pytest.raises(StatementFailed):
        run(place, "CREATE INDEX CONCURRENTLY nowhere ON ledger (nothing)", SECOND, job=3)
    assert (set(place.indexes()), applied(place)) == ({"by_id", "_prisma_migrations_pkey"}, [FIRST])

    roll_back(place, "DROP INDEX CONCURRENTLY by_id", job=4)
    assert (set(place.indexes()), applied(place)) == ({"_prisma_migrations_pkey"}, [])


def test_an_attempt_that_was_lost_after_its_statements_is_finished_by_the_next_with_one_row(place):
    text = "CREATE INDEX CONCURRENTLY by_id ON ledger (id)"
    place.do(LEDGER, "ALTER TABLE locktender.history ADD CONSTRAINT no CHECK (job = 0)")
    with pytest.raises(StatementFailed, match=f"Recording {FIRST} failed: new row"):
        run(place, text)
    assert (place.tables(), place.indexes()) == ({"ledger"}, {"by_id": True})

    place.do("ALTER TABLE locktender.history DROP CONSTRAINT no")
    run(place, text)
    run(place, text)  # the same job once more: it is done

    assert [name for name, *_ in rows(place)] == [name for name, _ in place.history()] == [FIRST]


@pytest.fixture
def owned(place, superuser) -> Target:
    """The target with an owner whose rights the migrator has only while it acts as the owner."""
    if superuser.info.server_version < 160000:
        pytest.skip("a role is granted without inheritance since PostgreSQL 16")
    owner = f"prisma_owner_{os.getpid()}"
    role = sql.Identifier(owner)
    superuser.execute(sql.SQL("CREATE ROLE {}").format(role))
    superuser.execute(sql.SQL("GRANT {} TO package_migrator WITH INHERIT FALSE").format(role))
    place.administer(f"CREATE SCHEMA {owner} AUTHORIZATION {owner}", f"GRANT ALL ON SCHEMA public TO {owner}")
    yield replace(place.target, owner_role=owner)
    place.administer(f"DROP OWNED BY {owner}")
    superuser.execute(sql.SQL("DROP ROLE {}").format(role))


def test_the_history_is_the_owners_and_is_looked_for_as_the_owner(place, owned):
    run(place, LEDGER, target=owned)
    run(place, "ALTER TABLE ledger ADD points int", SECOND, target=owned)
    roll_back(place, "ALTER TABLE ledger DROP points", SECOND, job=2, target=owned)

    where = "SELECT DISTINCT schemaname, tableowner FROM pg_tables WHERE tablename IN ('ledger', '_prisma_migrations')"
    assert place.rows(where) == [(owned.owner_role, owned.owner_role)]  # "$user" is the owner
    assert applied(place, owned) == [FIRST]
    assert applied(place) == []


def test_a_history_that_the_owner_may_not_read_is_refused_with_the_remedy_that_works(place, owned):
    by_prisma(place, FIRST, at=1)
    with pytest.raises(PrivilegeMissing) as refused:
        applied(place, owned)

    place.administer(str(refused.value).rpartition("run: ")[2])

    assert applied(place, owned) == [FIRST]
    roll_back(place, "SELECT 1", target=owned)
    assert applied(place, owned) == []


def test_a_role_that_may_not_act_as_the_owner_cannot_even_read_the_history(place):
    with pytest.raises(PrivilegeMissing, match="GRANT"):
        applied(place, replace(place.target, owner_role="pg_monitor"))
