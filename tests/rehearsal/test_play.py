"""What a rehearsal does beside its verdict: every prefix, its control, its trace, and what it leaves behind."""

import os
from dataclasses import replace

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from checks.rehearsal.proof import Outcome, Proof, scaled
from checks.schema import Difference
from deployments.postgres.connect import Target
from deployments.postgres.rehearsal import comparing, state
from deployments.postgres.rehearsal.databases import Databases
from deployments.postgres.rehearsal.play import play
from deployments.postgres.rehearsal.scripts import digest_of_scripts
from deployments.postgres.stopped import CancelledOnRequest
from tests.postgres.places import Stopper
from tests.rehearsal.conftest import CLONE, PREFIX, pair
from tests.servers import SUPERUSER_URL

COLUMN = ("ALTER TABLE orders ADD COLUMN region text", "ALTER TABLE orders DROP COLUMN region")
INDEX = ("CREATE INDEX orders_region ON orders (region)", "DROP INDEX orders_region")


def databases_like(superuser) -> list[str]:
    return [
        name for (name,) in superuser.execute("SELECT datname FROM pg_database").fetchall() if name.startswith(PREFIX)
    ]


def test_every_prefix_of_a_plan_has_its_way_back_tried(rehearse):
    proof = rehearse(
        COLUMN, INDEX, ("COMMENT ON COLUMN orders.region IS 'x'", "COMMENT ON COLUMN orders.region IS NULL")
    )

    assert proof.outcome is Outcome.RESTORES, proof.problems
    tried = [one.what for one in proof.tries]
    assert "the way back after 1 of 3 migrations" in tried
    assert "the way back after 2 of 3 migrations" in tried


def test_a_rollback_that_leaves_its_part_to_the_next_one_is_seen_at_the_prefix(rehearse):
    hidden = ("DROP INDEX ledger_user_idx", "SELECT 1")  # the other rollback builds what this one forgets
    builder = ("SELECT 1", "CREATE INDEX IF NOT EXISTS ledger_user_idx ON ledger (user_id)")

    proof = rehearse(hidden, builder)

    assert proof.problems == ("index ledger_user_idx does not come back (after 1 of 2 migrations)",)


def test_a_migration_without_a_rollback_is_not_played(rehearse):
    proof = rehearse(COLUMN, pair("002", "SELECT 1", None))

    assert proof.problems == ("002 has no rollback script",)
    assert proof.tries == ()


def test_a_verify_script_is_asked_on_the_copy(rehearse):
    right = pair("001", *COLUMN, "-- expect: 60\nSELECT count(*) FROM orders WHERE region IS NULL")
    wrong = pair("001", *COLUMN, "-- expect: 61\nSELECT count(*) FROM orders")

    assert rehearse(right).outcome is Outcome.RESTORES
    assert rehearse(wrong).problems == ("verify script of 001, line 2: 60; 61 was expected",)


def test_a_comparison_that_never_objects_proves_nothing(rehearse, monkeypatch):
    monkeypatch.setattr(comparing, "unseen", lambda _: ("an object added",))

    proof = rehearse(COLUMN)

    assert proof.problems[0] == "the comparison did not object to: an object added"


def test_a_comparison_of_rows_that_never_objects_proves_nothing(rehearse, monkeypatch):
    monkeypatch.setattr(comparing, "difference", lambda *_: Difference())
    monkeypatch.setattr("checks.rehearsal.rows.unequal", lambda *_: [])

    proof = rehearse(COLUMN)

    assert proof.problems[0].startswith("the comparison did not object to: a row more in ")


def test_rows_that_cannot_be_read_are_not_proven(superuser, rehearse, clone):
    administrator = make_conninfo(os.environ[SUPERUSER_URL], dbname=CLONE)
    with psycopg.connect(administrator, autocommit=True) as other:
        other.execute("CREATE TABLE secrets (id int)")
    try:
        proof = rehearse(COLUMN)
    finally:
        with psycopg.connect(administrator, autocommit=True) as other:
            other.execute("DROP TABLE secrets")

    assert proof.problems == (
        "whether the rows of secrets come back is not known: they cannot be read (SQLSTATE 42501)",
    )


def test_nothing_is_left_and_the_clone_stays_as_it_was(superuser, rehearse, databases: Databases, clone):
    def schema() -> str:
        with databases.session(clone) as opened, state.reading(opened):
            return state.read_snapshot(opened).exact_fingerprint

    before = schema()

    assert rehearse(COLUMN).outcome is Outcome.RESTORES
    assert rehearse(("DROP TABLE coupons", "SELECT 1")).outcome is Outcome.NOT_PROVEN

    assert databases_like(superuser) == []
    assert schema() == before


def test_a_cancelled_rehearsal_drops_its_copies(superuser, rehearse, databases: Databases):
    walked: list[str] = []

    def cancel(what: str) -> None:
        walked.append(what)
        if what == "001: rollback":
            databases.stop.asked.set()

    with pytest.raises(CancelledOnRequest):
        play(databases, CLONE, [pair("001", *COLUMN)], tell=cancel)

    assert "001: rollback" in walked
    assert databases_like(superuser) == []


def test_a_statement_under_way_ends_when_a_person_asks_to_stop(
    superuser, databases: Databases, clone, meanwhile, eventually
):
    slow = pair("001", "SELECT pg_sleep(600)", "SELECT 1")
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND state = 'active'"

    played = meanwhile(play, databases, clone, [slow])
    eventually(lambda: superuser.execute(sleeping).fetchone() == (1,))
    databases.stop.asked.set()

    with pytest.raises(CancelledOnRequest):
        played.result(timeout=60)
    assert databases_like(superuser) == []


def test_the_trace_names_locks_rewrites_rows_and_bytes(superuser, clone, monkeypatch):
    monkeypatch.setenv("REHEARSAL_SERVER", os.environ[SUPERUSER_URL])  # only an administrator sees temporary files
    forward = (
        "ALTER TABLE orders ADD CONSTRAINT again FOREIGN KEY (customer_id) REFERENCES customers NOT VALID;"
        "ALTER TABLE ledger ALTER COLUMN points TYPE bigint;"
        "UPDATE coupons SET word = word;"
        "SET LOCAL work_mem = '64kB'; CREATE TABLE many AS SELECT n FROM generate_series(1, 20000) n ORDER BY -n"
    )
    rollback = (
        "-- locktender: irreversible ledger.points\n"
        "DROP TABLE many; ALTER TABLE orders DROP CONSTRAINT again;"
        "ALTER TABLE ledger ALTER COLUMN points TYPE int USING least(points, 2147483647)"
    )
    server = Target(0, "the rehearsal server", "env:REHEARSAL_SERVER")
    with Databases(server, prefix=f"{PREFIX}_traced", name="locktender/rehearsal", stop=Stopper()) as databases:
        proof = play(databases, CLONE, [pair("001", forward, rollback)], owner_role="package_rehearser")

    assert proof.problems == ()
    key, kind, update, setting, made, *back = proof.traced
    assert key.locks == (("customers", "ShareRowExclusiveLock"), ("orders", "ShareRowExclusiveLock"))
    assert key.rewrites == ()
    assert kind.locks == (("ledger", "AccessExclusiveLock"),)
    assert kind.rewrites == ("ledger",)
    assert (update.rows, update.locks) == (10, (("coupons", "RowExclusiveLock"),))
    assert setting.locks == ()
    assert made.temp_bytes
    assert not kind.temp_bytes
    assert all(one.wal_bytes is not None for one in proof.traced)
    assert {one.direction for one in back} == {"rollback"}


def test_a_statement_beside_the_application_is_watched_from_another_session(rehearse):
    proof = rehearse(("CREATE INDEX CONCURRENTLY orders_a ON orders (state)", "DROP INDEX CONCURRENTLY orders_a"))

    assert [(one.is_sampled, one.number) for one in proof.traced] == [(True, 1), (True, 1)]


def test_a_proof_is_bound_to_its_scripts_and_survives_as_evidence(rehearse):
    proof = rehearse(COLUMN, INDEX)
    plan = (pair("001", *COLUMN), pair("002", *INDEX))

    assert proof.scripts == digest_of_scripts(plan)
    assert proof.scripts != digest_of_scripts(plan[::-1])
    assert proof.scripts != digest_of_scripts((pair("001", COLUMN[0], COLUMN[1] + " "), plan[1]))
    assert Proof.of_evidence(proof.as_evidence()) == proof
    assert replace(proof, outcome=Outcome.NOT_PROVEN).sentence == "not proven"


def test_what_a_statement_takes_on_the_target_is_a_range():
    assert scaled(2.0, clone_bytes=100, target_bytes=1000) == (10.0, 40.0)
    assert scaled(2.0, clone_bytes=1000, target_bytes=100) == (1.0, 4.0)  # a smaller target is not believed
    assert scaled(2.0, clone_bytes=0, target_bytes=100) is None


def test_what_no_row_can_show_is_named(rehearse):
    forward = (
        "CREATE UNIQUE INDEX coupons_low ON coupons (lower(word)); ALTER TABLE coupons DROP CONSTRAINT coupons_word_key"
    )
    rollback = "ALTER TABLE coupons ADD CONSTRAINT coupons_word_key UNIQUE (word); DROP INDEX coupons_low"

    proof = rehearse((forward, rollback))

    assert proof.outcome is Outcome.RESTORES
    assert proof.untried == ("coupons twice with the same word: unique violation of coupons_low (SQLSTATE 23505)",)
