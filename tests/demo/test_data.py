"""The customer's database as the demo founds it: as Prisma would have left it, and the same every time."""

import psycopg
import pytest

from demo.data import BUSINESSES, ROWS, USERS, apply_today, found
from demo.releases import TODAY, put, release
from deployments.postgres.catalog import snapshot
from deployments.postgres.connect import Target
from deployments.postgres.history.prisma import PrismaHistory
from tests.demo.conftest import LEDGER_ROWS
from tests.prisma.cli import Project, installed

CONTENT = "SELECT md5(string_agg({0}::text, '\n' ORDER BY id)), count(*) FROM {0}"


def schema(customer) -> dict[str, str]:
    session = customer.connect()
    with session.transaction():
        return snapshot(session)


def content(customer) -> dict[str, tuple[str, int]]:
    session = customer.connect()
    return {table: session.execute(CONTENT.format(table)).fetchone() for table in ROWS}


def test_the_same_rows_are_there_every_time(customer, make_customer):
    another = make_customer()

    found(another.as_owner(), ledger_rows=LEDGER_ROWS)

    rows = content(another)
    assert rows == content(customer)
    assert {table: count for table, (_, count) in rows.items()} == {
        "users": USERS,
        "businesses": BUSINESSES,
        "refresh_tokens": USERS,
        "transactions": LEDGER_ROWS / 2,
        "point_ledger": LEDGER_ROWS,
        "notification_log": LEDGER_ROWS / 10,
    }


def test_the_schema_is_what_the_migrations_make(customer, make_customer):
    migrated = make_customer()
    with migrated.as_owner() as session, session.transaction():
        apply_today(session)

    assert schema(customer) == schema(migrated)


def test_every_row_of_the_ledger_has_the_points_that_the_application_would_give(customer):
    query = """
    SELECT count(*) FROM point_ledger JOIN transactions ON transactions.id = transaction_id
    JOIN businesses ON businesses.id = business_id
    WHERE point_ledger.user_id = transactions.user_id AND point_ledger.created_at = transactions.created_at
      AND points = CASE reason WHEN 'purchase' THEN floor(amount)
        WHEN 'bonus' THEN ceil(floor(amount) * CASE tier WHEN 'gold' THEN 0.5 WHEN 'silver' THEN 0.25 ELSE 0.1 END) END
    """
    assert customer.connect().execute(query).fetchone() == (LEDGER_ROWS,)


def test_new_rows_take_numbers_after_the_old_ones(customer):
    for table in ROWS:
        query = f"SELECT nextval(pg_get_serial_sequence('{table}', 'id')) - max(id) FROM {table}"
        assert customer.connect().execute(query).fetchone() == (1,), table


def test_the_server_knows_what_is_in_the_tables(customer):
    query = "SELECT array_agg(DISTINCT tablename::text) FROM pg_stats WHERE schemaname = 'public'"
    assert set(customer.connect().execute(query).fetchone()[0]) >= set(ROWS)


def test_the_application_may_change_rows_of_tables_old_and_new_and_nothing_else(customer):
    customer.run(release("2.4"))
    with psycopg.connect(customer.application_url, autocommit=True) as session:
        session.execute("INSERT INTO rewards (business_id, title, points) VALUES (1, 'Coffee', 50)")
        session.execute("UPDATE rewards SET points = 60")
        session.execute("DELETE FROM point_ledger WHERE id = 1")
        for refused in (
            "SELECT 1 FROM _prisma_migrations",
            "ALTER TABLE users ADD COLUMN mine INT",
            "CREATE TABLE mine ()",
            "TRUNCATE point_ledger",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(refused)


def test_the_history_says_that_today_is_applied(customer, monkeypatch):
    monkeypatch.setenv("LOYALTY", customer.url)
    target = Target(database_id=1, name="loyalty", connection="env:LOYALTY", owner_role="loyalty_owner")

    applied = PrismaHistory().applied(customer.connect(), target)

    assert [one.name for one in applied] == [folder.name for folder in TODAY.migrations()]


def test_history_and_schema_are_what_the_real_prisma_leaves(customer, make_customer, tmp_path):
    project = Project.made(tmp_path / "project", installed())
    put(TODAY, project.folder)
    theirs = make_customer()
    deployed = project.migrate("deploy", conninfo=theirs.owner_url)
    assert deployed.status == 0, deployed.output

    status = project.migrate("status", conninfo=customer.owner_url)

    assert status.status == 0, status.output
    assert "Database schema is up to date!" in status.output
    own = {"id", "started_at", "finished_at"}
    rows = [
        one.connect(row_factory=psycopg.rows.dict_row)
        .execute("SELECT * FROM _prisma_migrations ORDER BY started_at")
        .fetchall()
        for one in (customer, theirs)
    ]
    ours, prismas = ([{key: row[key] for key in row.keys() - own} for row in part] for part in rows)
    assert ours == prismas
    assert all(row["started_at"] <= row["finished_at"] for row in rows[0])
    columns = (
        "SELECT attrelid::regclass::text, attname, attnum FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
    )
    columns += " WHERE relnamespace = 'public'::regnamespace AND attnum > 0 ORDER BY 1, 3"
    assert customer.connect().execute(columns).fetchall() == theirs.connect().execute(columns).fetchall()


def test_a_database_that_is_not_fresh_is_left_as_it_is(make_customer):
    customer = make_customer()
    customer.as_owner().execute("CREATE TABLE point_ledger ()")
    before = schema(customer)

    with pytest.raises(psycopg.errors.DuplicateTable):
        found(customer.as_owner(), ledger_rows=20)

    assert schema(customer) == before
