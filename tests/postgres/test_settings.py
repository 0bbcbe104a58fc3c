"""What a session is set to: by what it is for, and not by what role or database say."""

from datetime import UTC, date, datetime, timedelta

import pytest

from deployments.postgres.connect import session
from deployments.postgres.script import Limits
from tests.postgres.places import LIMITS, script

SEEN = "CREATE TABLE seen AS SELECT name, setting::int FROM pg_settings WHERE name IN ({names})"
MINUTE = 60_000


def seen(place, *names: str, before: str = "", limits: Limits = LIMITS) -> dict[str, int]:
    listed = ", ".join(f"'{name}'" for name in names)
    place.run(f"{before}{SEEN.format(names=listed)}", limits=limits)
    return dict(place.rows("SELECT * FROM seen"))


def test_a_file_has_the_limits_that_it_was_given_and_not_those_of_any_session(place):
    held = seen(place, "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")

    assert held == {
        "statement_timeout": 30 * MINUTE,
        "lock_timeout": 200,
        "idle_in_transaction_session_timeout": 10_000,
    }


def test_what_the_role_is_set_to_does_not_hold_for_a_file(place):
    role, name = place.rows("SELECT rolname, current_database() FROM pg_roles WHERE rolname = 'package_migrator'")[0]
    place.administer(f"ALTER ROLE {role} IN DATABASE {name} SET statement_timeout = '1s'")

    assert seen(place, "statement_timeout") == {"statement_timeout": 30 * MINUTE}


def test_times_are_read_whatever_way_the_role_writes_them(place):
    role, name = place.rows("SELECT rolname, current_database() FROM pg_roles WHERE rolname = 'package_migrator'")[0]
    for setting in ("DateStyle = 'German, DMY'", "IntervalStyle = 'sql_standard'"):
        place.administer(f"ALTER ROLE {role} IN DATABASE {name} SET {setting}")

    with session(place.target) as opened:
        row = opened.execute("SELECT timestamptz '2026-11-02 01:00+00', interval '1 day', date '03.02.2026'").fetchone()
        shown = opened.execute("SHOW DateStyle").fetchone()

    assert row == (datetime(2026, 11, 2, 1, tzinfo=UTC), timedelta(days=1), date(2026, 2, 3))
    assert shown == ("ISO, DMY",)  # in which order others write a date stays theirs


def test_a_transaction_has_a_limit_where_the_server_knows_one(place):
    knows_one = place.rows("SELECT current_setting('server_version_num')::int >= 170000") == [(True,)]

    assert seen(place, "transaction_timeout") == ({"transaction_timeout": 6 * 60 * MINUTE} if knows_one else {})


def test_a_commit_is_on_the_disk_whatever_the_database_says(place):
    place.run("CREATE TABLE seen AS SELECT current_setting('synchronous_commit') AS how")

    assert place.rows("SELECT how FROM seen") == [("on",)]


def test_a_server_notices_within_seconds_that_we_are_gone(place):
    with session(place.target) as opened:
        row = opened.execute(
            "SELECT current_setting('client_connection_check_interval'), current_setting('tcp_keepalives_idle')"
        ).fetchone()

    assert row == ("1s", "10")


def test_a_server_that_refuses_to_notice_is_a_target_all_the_same(place, monkeypatch):
    monkeypatch.setattr("deployments.postgres.settings.LIVELINESS", "SET block_size = 1")

    with session(place.target) as opened:
        assert opened.execute("SELECT current_setting('lock_timeout')").fetchone() == ("2s",)


@pytest.mark.parametrize(("within", "held"), [(timedelta(minutes=30), 10), (timedelta(minutes=1), 10)])
def test_a_validation_has_ten_minutes_whatever_the_file_or_the_limits_say(place, within, held):
    place.do("CREATE TABLE ledger (id int)", "INSERT INTO ledger VALUES (1)")
    place.do(
        "CREATE FUNCTION told(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO told VALUES (current_setting('statement_timeout')); RETURN true; END $$",
        "CREATE TABLE told (limits text)",
        "ALTER TABLE ledger ADD CONSTRAINT fine CHECK (told(id)) NOT VALID",
    )
    limits = Limits(LIMITS.lock_timeout, LIMITS.lock_retry_limit, statement_timeout=within)

    place.run("SET LOCAL statement_timeout = '5s'; ALTER TABLE ledger VALIDATE CONSTRAINT fine", limits=limits)

    assert place.rows("SELECT limits FROM told") == [(f"{held}min",)]


def test_after_a_validation_the_limits_hold_again(place):
    place.do("CREATE TABLE ledger (id int)", "ALTER TABLE ledger ADD CONSTRAINT fine CHECK (id > 0) NOT VALID")
    limits = Limits(LIMITS.lock_timeout, LIMITS.lock_retry_limit, statement_timeout=timedelta(minutes=1))
    before = "ALTER TABLE ledger VALIDATE CONSTRAINT fine; "

    assert seen(place, "statement_timeout", before=before, limits=limits) == {"statement_timeout": MINUTE}
    assert script(before).sent[0].is_validation
