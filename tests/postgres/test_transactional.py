"""A transactional file: everything of it, once, or nothing of it."""

import pytest

from deployments.postgres.ledger import ROLLBACK
from deployments.postgres.stopped import AlreadyApplied, StatementFailed
from tests.postgres.places import LIMITS, script


def test_a_failing_statement_takes_the_whole_file_with_it(place):
    text = (
        "-- the ledger\nCREATE TABLE ledger (id int);\n\nALTER TABLE\n  nowhere ADD x int;\nCREATE TABLE later (id int)"
    )

    with pytest.raises(StatementFailed) as refused:
        place.run(text)

    told = str(refused.value)
    assert "Statement 2 of 001_ledger (line 4) failed" in told
    assert 'relation "nowhere" does not exist' in told
    assert "SQLSTATE 42P01" in told
    assert "This migration was rolled back." in told
    assert (place.tables(), place.history()) == (set(), [])


def test_the_line_of_an_error_is_that_of_our_file_even_after_letters_of_many_bytes(place):
    text = "CREATE TABLE ledger (id int);\nSELECT 'Ünïcödé ÄÖÜ äöü €€€€€€€€€€€€'\n,\n1\n,\nnowhere_column\nFROM ledger;"

    with pytest.raises(StatementFailed, match=r"Statement 2 of 001_ledger \(line 6\) failed: column .nowhere_column"):
        place.run(text)


def test_detail_and_hint_of_the_server_are_told(place):
    place.do("CREATE TABLE ledger (id int PRIMARY KEY)", "INSERT INTO ledger VALUES (7)")

    with pytest.raises(StatementFailed) as refused:
        place.run("INSERT INTO ledger VALUES (7)")

    assert "SQLSTATE 23505). Detail: Key (id)=(7) already exists. This migration" in str(refused.value)


def test_a_deferred_constraint_that_is_violated_at_the_end_undoes_everything(place):
    text = """
        CREATE TABLE users (id int PRIMARY KEY);
        CREATE TABLE ledger (owner int REFERENCES users DEFERRABLE INITIALLY DEFERRED);
        INSERT INTO ledger VALUES (1);
    """

    with pytest.raises(StatementFailed) as refused:
        place.run(text)

    assert str(refused.value).startswith(
        "The end of 001_ledger, where deferred constraints are checked, failed: insert"
    )
    assert "SQLSTATE 23503" in str(refused.value)
    assert (place.tables(), place.history()) == (set(), [])


def test_a_file_of_comments_alone_is_applied_and_remembered(place):
    place.run("-- kept for its number\n/* nothing */")

    assert place.history() == [("001_ledger", "forward")]
    assert place.rows("SELECT statements FROM locktender.history") == [(0,)]


def test_percent_signs_and_other_alphabets_reach_the_server_as_they_are_written(place):
    place.run("CREATE TABLE ledger (note text);\nINSERT INTO ledger VALUES ('100 %s of %% — Žluťoučký\n𝄞');")

    assert place.rows("SELECT note FROM ledger") == [("100 %s of %% — Žluťoučký\n𝄞",)]


def test_other_alphabets_arrive_although_the_connection_asks_for_another_encoding(place, monkeypatch):
    place.run(
        "CREATE TABLE ledger AS SELECT 'Ärger' AS note",
        target=place.at(f"{place.url} client_encoding=latin1", monkeypatch),
    )

    assert place.rows("SELECT note, length(note) FROM ledger") == [("Ärger", 5)]


@pytest.mark.parametrize(
    ("setting", "held"),
    [
        ("SET lock_timeout = '1h'", "200ms"),
        ("SET LOCAL lock_timeout = 0", "200ms"),
        ("RESET ALL", "200ms"),
        ("DO $$ BEGIN PERFORM set_config('lock_timeout', '7min', true); END $$", "200ms"),
        ("SET lock_timeout = '50ms'", "50ms"),
    ],
)
def test_a_file_may_lower_its_lock_timeout_and_never_raise_it(place, setting, held):
    place.run(f"{setting}; CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS held")

    assert place.rows("SELECT held FROM seen") == [(held,)]


def test_a_statement_that_takes_too_long_is_ended_although_the_file_lifted_the_limit(place):
    limits = type(LIMITS)(LIMITS.lock_timeout, LIMITS.lock_retry_limit, statement_timeout=LIMITS.lock_timeout)

    with pytest.raises(StatementFailed, match="statement timeout"):
        place.run("CREATE TABLE ledger (); SET statement_timeout = 0; SELECT pg_sleep(60)", limits=limits)

    assert (place.tables(), place.history()) == (set(), [])


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK"])
def test_a_procedure_cannot_end_the_transaction_of_the_file(place, end):
    with pytest.raises(StatementFailed, match="SQLSTATE 2D000"):
        place.run(f"CREATE TABLE ledger (id int); DO $$ BEGIN {end}; END $$")

    assert (place.tables(), place.history()) == (set(), [])


def test_an_applied_migration_is_not_run_again_by_anybody(place):
    place.run("CREATE TABLE ledger (id int); INSERT INTO ledger VALUES (1)")

    with pytest.raises(AlreadyApplied):
        place.run("INSERT INTO ledger VALUES (2)", job=2, fence=2)

    assert place.rows("SELECT id FROM ledger") == [(1,)]
    assert place.history() == [("001_ledger", "forward")]


def test_a_migration_that_was_rolled_back_can_be_applied_again(place):
    place.run("CREATE TABLE ledger (id int)")
    with place.desk(job=2, fence=2) as desk:
        desk.run(script("DROP TABLE ledger", direction=ROLLBACK))
    assert place.tables() == set()

    place.run("CREATE TABLE ledger (id int)", job=3, fence=3)

    assert place.tables() == {"ledger"}
    assert [direction for _, direction in place.history()] == ["forward", "rollback", "forward"]


def test_a_failure_after_the_last_statement_is_not_blamed_on_it(place):
    class Broken:
        advisory_lock = None

        def is_applied(self, _opened, _target, _migration):
            return False

        def record(self, opened, _target, _entry):
            opened.execute("INSERT INTO nobody_made_this VALUES (1)")

    with pytest.raises(StatementFailed, match="The transaction around 001_ledger failed: relation"):
        place.run("CREATE TABLE ledger (id int)", history=Broken())

    assert (place.tables(), place.history()) == (set(), [])


def test_the_end_of_a_file_has_the_limits_and_the_durability_that_it_lifted(place):
    seen: list[tuple] = []

    class Looking:
        advisory_lock = None

        def is_applied(self, _opened, _target, _migration):
            return False

        def record(self, opened, _target, _entry):
            seen.append(
                opened.execute(
                    "SELECT current_setting('lock_timeout'), current_setting('synchronous_commit')"
                ).fetchone()
            )

    place.run("SET synchronous_commit = off; SET LOCAL lock_timeout = 0", history=Looking())

    assert seen == [("200ms", "on")]
