"""What a restore costs: exact numbers where rows can be counted, "at most" or nothing where they cannot, and why."""

import pytest

from deployments.postgres.backup.exported import exporting
from deployments.postgres.backup.measure import measure
from deployments.postgres.connect import session
from deployments.postgres.price.estimate import Price, Sure, estimate
from tests.postgres.places import Place

LEDGER, LATER = '"public"."ledger"', '"public"."later"'


@pytest.fixture
def backup(place: Place) -> dict:
    place.do("CREATE TABLE ledger (id int, points int)", "CREATE TABLE quiet (id int)")
    place.do("INSERT INTO ledger SELECT number, 0 FROM generate_series(1, 100) number", "INSERT INTO quiet VALUES (1)")
    return noted(place)


def noted(place: Place) -> dict:
    """Return what the manifest of a backup of now says, as far as the price asks for it."""
    with exporting(place.target, name="locktender/test") as exported:
        return {
            "server": {"system_identifier": exported.identity.system_identifier},
            "snapshot": {"at": exported.at.isoformat(), "lsn": exported.lsn},
            "rows": {str(one): measure(exported.opened, one, is_hashed=False)[0] for one in exported.tables},
            "origin": exported.origin.as_manifest(),
        }


def price(place: Place, content: dict, *, seconds: float | None = 30) -> Price:
    with session(place.target) as opened:
        return estimate(opened, content, seconds=seconds)


def of(found: Price, table: str) -> tuple[Sure, int | None, int | None]:
    (one,) = (one for one in found.tables if one.table == table)
    return one.sure, one.written, one.gone


def test_rows_written_and_rows_gone_since_the_backup_are_counted_exactly_without_any_key(place: Place, backup):
    place.do("INSERT INTO ledger VALUES (101, 1), (102, 1), (103, 1)", "DELETE FROM ledger WHERE id <= 5")
    place.do("UPDATE ledger SET points = 7 WHERE id BETWEEN 6 AND 15", "UPDATE ledger SET points = 8 WHERE id = 6")
    with place.connect() as app:
        app.execute("BEGIN; INSERT INTO ledger SELECT 0 FROM generate_series(1, 500); ROLLBACK")

    found = price(place, backup)

    assert of(found, LEDGER) == (Sure.EXACT, 3 + 10, 5 + 10)
    assert of(found, '"public"."quiet"') == (Sure.EXACT, 0, 0)
    assert not found.is_nothing
    assert found.wal_bytes
    assert found.minutes >= 0
    assert [one["table"] for one in found.as_evidence()["tables"]] == [LEDGER]


def test_what_was_under_way_at_the_backup_and_committed_after_it_counts_as_written(place: Place):
    place.do("CREATE TABLE ledger (id int)", "INSERT INTO ledger VALUES (1)")
    app = place.connect()
    app.execute("BEGIN")
    app.execute("INSERT INTO ledger VALUES (2)")
    content = noted(place)
    app.execute("COMMIT")

    assert of(price(place, content), LEDGER) == (Sure.EXACT, 1, 0)


def test_nothing_written_is_told_as_nothing(place: Place, backup):
    place.do("VACUUM FREEZE ledger")

    assert price(place, backup).is_nothing


def test_tables_made_and_dropped_since_are_in_the_price(place: Place, backup):
    place.do("CREATE TABLE later (id int)", "INSERT INTO later VALUES (1), (2)", "DROP TABLE ledger")

    found = price(place, backup)

    assert of(found, LATER) == (Sure.EXACT, 2, 0)
    assert of(found, LEDGER) == (Sure.EXACT, 0, 100)


def test_a_table_that_was_rewritten_is_told_as_at_most(place: Place, backup):
    place.do("ALTER TABLE ledger ALTER id TYPE bigint")

    assert of(price(place, backup), LEDGER) == (Sure.AT_MOST, 100, 100)


def test_without_time_the_counters_say_at_most(place: Place, backup):
    with place.connect() as app:
        app.execute("INSERT INTO ledger SELECT 0 FROM generate_series(1, 10)")
        app.execute("SELECT pg_stat_force_next_flush()")

    found = price(place, backup, seconds=0)

    sure, written, _ = of(found, LEDGER)
    assert sure is Sure.AT_MOST
    assert written is not None
    assert written >= 10


def test_counters_that_began_anew_say_nothing(place: Place, backup):
    place.administer("SELECT pg_stat_reset()")
    with place.connect() as app:  # they stand higher than at the backup again
        app.execute("INSERT INTO ledger SELECT 0 FROM generate_series(1, 500)")
        app.execute("SELECT pg_stat_force_next_flush()")

    found = price(place, backup, seconds=0)

    assert of(found, LEDGER) == (Sure.UNKNOWN, None, None)
    assert LEDGER in found.unknown
    assert not found.is_nothing


def test_a_locked_table_is_not_waited_for(place: Place, backup):
    app = place.connect()
    app.execute("BEGIN; LOCK TABLE ledger IN ACCESS EXCLUSIVE MODE")

    assert of(price(place, backup), LEDGER)[0] is not Sure.EXACT


def test_the_rows_of_a_database_that_was_restored_since_tell_nothing(place: Place, backup):
    other = dict(backup) | {"origin": backup["origin"] | {"database_oid": 1}}

    found = price(place, other)

    assert of(found, LEDGER) == (Sure.UNKNOWN, None, None)
    assert "restored since" in found.doubts[0]


def test_an_older_manifest_is_read_and_says_what_it_cannot(place: Place, backup):
    place.do("CREATE TABLE later (id int)", "INSERT INTO later VALUES (1)")
    backup.pop("origin")

    found = price(place, backup)

    assert of(found, LATER) == (Sure.EXACT, 1, 0)
    assert LEDGER in found.unknown
