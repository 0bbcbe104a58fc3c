"""A database in SQL_ASCII keeps any bytes: the guard reads the queries of others there without losing its sight."""

import os
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from deployments.postgres.connect import Target
from deployments.postgres.guard import Budget
from deployments.postgres.ledger import install, installation_sql
from deployments.postgres.stopped import OverBudget
from tests.postgres.conftest import PASSWORD
from tests.postgres.places import Place, script
from tests.postgres.test_guard_session import HOLDS, holds_the_table
from tests.servers import SUPERUSER_URL

NO_UTF8 = b"caf\xe9 \xff"
IMPATIENT = Budget(oldest_seconds=0.2, total_seconds=60)


@pytest.fixture
def ascii_place(superuser, package_migrator, monkeypatch) -> Iterator[Place]:
    name = f"ascii_{os.getpid()}"
    superuser.execute(
        sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0").format(
            sql.Identifier(name), sql.Identifier(package_migrator)
        )
    )
    administrator = make_conninfo(os.environ[SUPERUSER_URL], dbname=name)
    url = make_conninfo(administrator, user=package_migrator, password=PASSWORD)
    monkeypatch.setenv("TARGET_ASCII", url)
    target = Target(database_id=1, name="shop/staging/main", connection="env:TARGET_ASCII")
    place = Place(target, url, uuid.uuid4(), administrator)
    install(target, installation_sql(control_plane_id=place.plane, database_id=1))
    place.do("CREATE TABLE ledger (id int, name text)", "INSERT INTO ledger VALUES (1)")
    yield place
    superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def raw(place: Place, text: bytes) -> psycopg.pq.abc.PGresult:
    """Send a query as it is, as a client does that knows no encoding."""
    with psycopg.connect(place.url, autocommit=True, application_name="shop", client_encoding="SQL_ASCII") as opened:
        return opened.pgconn.exec_(text)


def test_who_waits_with_a_query_that_is_no_utf8_is_seen_and_counted(ascii_place, meanwhile, eventually):
    with ascii_place.desk(budget=IMPATIENT) as desk:
        running = meanwhile(desk.run, script(HOLDS))
        eventually(lambda: holds_the_table(ascii_place))

        waiter = meanwhile(raw, ascii_place, b"SELECT name AS " + b'"' + NO_UTF8 + b'" FROM ledger')

        with pytest.raises(OverBudget):
            running.result(30)
        assert waiter.result(30).status == psycopg.pq.ExecStatus.TUPLES_OK
    assert "caf\ufffd" in str(desk.guard.bill.as_evidence()["queries"])


def test_who_is_in_the_way_with_a_query_that_is_no_utf8_is_named(ascii_place, meanwhile, eventually):
    with psycopg.connect(ascii_place.url, application_name="report", client_encoding="SQL_ASCII") as reader:
        reader.pgconn.exec_(b"BEGIN; SELECT name AS " + b'"' + NO_UTF8 + b'" FROM ledger')
        with ascii_place.desk() as desk:
            running = meanwhile(desk.run, script("ALTER TABLE ledger ADD points int"))
            eventually(lambda: desk.guard.bill.blockers)
            told = desk.guard.bill.blockers[0]
            reader.pgconn.exec_(b"COMMIT")
            running.result(30)

    assert (told.application, "caf\ufffd" in told.query) == ("report", True)
    assert ascii_place.rows("SELECT count(*) FROM locktender.history") == [(1,)]
