"""A connection string as Prisma writes it leads to the same database, with its schema, or is refused in plain words."""

from urllib.parse import quote

import pytest
from psycopg.conninfo import conninfo_to_dict

from deployments.errors import DeploymentError
from deployments.postgres.clients import asks_for_tls
from deployments.postgres.connect import session
from deployments.postgres.prisma_connection import for_libpq
from tests.postgres.places import Place

PRISMA = "connection_limit=5&pool_timeout=10&socket_timeout=30&statement_cache_size=0&pgbouncer=false"


def uri(place: Place, query: str) -> str:
    told = conninfo_to_dict(place.url)
    secret = quote(str(told.get("password", "")), safe="")
    return f"postgresql://{told['user']}:{secret}@{told['host']}:{told['port']}/{told['dbname']}?{query}"


def search_path(place: Place, monkeypatch, query: str) -> str:
    with session(place.at(uri(place, query), monkeypatch)) as opened:
        (path,) = opened.execute("SHOW search_path").fetchone()
        opened.execute("SET search_path = pg_catalog; RESET search_path")  # as before Prisma's rows are written
        assert opened.execute("SHOW search_path").fetchone() == (path,)
    return path


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("schema=app", '"app"'),
        ("schema=Sales&sslmode=prefer", '"Sales"'),
        ("schema=odd%20%22na%5Cme", '"odd ""na\\me"'),
        (f"{PRISMA}&schema=app&sslaccept=accept_invalid_certs", '"app"'),
        ("schema=app&options=-cstatement_timeout%3D5s", '"app"'),
        (PRISMA, '"$user", public'),
    ],
)
def test_what_prisma_writes_works_and_its_schema_is_the_search_path(place, monkeypatch, query, path):
    assert search_path(place, monkeypatch, query) == path


def test_the_objects_of_the_schema_are_found_without_its_name(place, monkeypatch):
    place.do('CREATE SCHEMA "App"', 'CREATE TABLE "App".ledger AS SELECT 7 AS points')

    with session(place.at(uri(place, "schema=App"), monkeypatch)) as opened:
        assert opened.execute("SELECT points FROM ledger").fetchone() == (7,)


@pytest.mark.parametrize(
    ("query", "code", "told"),
    [
        ("schema=app&sslaccept=strict", "connection-of-prisma", "write sslmode=verify-full and sslrootcert=PATH"),
        ("sslidentity=client.p12&schema=app", "connection-of-prisma", "sslcert=PATH and sslkey=PATH"),
        ("schema=app&pgbouncer=true", "pooler-between", "Give Locktender a direct connection to the server."),
    ],
)
def test_what_cannot_be_carried_over_is_refused_with_what_to_write(place, monkeypatch, query, code, told):
    target = place.at(uri(place, query), monkeypatch)

    with pytest.raises(DeploymentError) as refused, session(target):
        pytest.fail("a session was opened")

    assert (refused.value.code, refused.value.__cause__) == (code, None)
    assert told in str(refused.value)
    assert conninfo_to_dict(place.url)["password"] not in str(refused.value)


def test_whether_tls_is_asked_for_is_read_from_prismas_form_too(place, monkeypatch):
    assert asks_for_tls(place.at(uri(place, "schema=app&sslmode=require"), monkeypatch))
    assert not asks_for_tls(place.at(uri(place, "schema=app"), monkeypatch))


@pytest.mark.parametrize(
    "secret",
    [
        "host=a dbname=b user=c",
        "postgresql://u:p@h/db",
        "postgresql://u:part?schema@h/db",
        "postgresql://u:p@h/db?sslmode=require&options=-csearch_path%3Dapp",
        "mysql://u:p@h/db?schema=app",
    ],
)
def test_any_other_connection_string_means_what_it_meant(secret):
    got, wanted = for_libpq(secret), secret

    assert (got == wanted) or conninfo_to_dict(got) == conninfo_to_dict(wanted)
