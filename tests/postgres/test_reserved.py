"""A server without a connection left: who may use the reserved ones gets in, anybody else is told what to do."""

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from controlplane.embedded import PostgresServer
from deployments.postgres.connect import Target, open_session, session
from deployments.postgres.errors import NoConnectionLeft, TargetUnreachable

PASSWORD = "of-tests-only"
RESERVES = 160_000  # the version from which on connections can be kept for a role


@pytest.fixture
def server(tmp_path):
    for one in (tmp_path, *tmp_path.parents[:2]):
        one.chmod(0o755)  # the server runs as somebody else where we are root
    few = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "8", "superuser_reserved_connections": "1",
           "max_wal_senders": "0"}  # fmt: skip
    with PostgresServer(tmp_path / "few", durable=False, settings=few) as started:
        with psycopg.connect(started.superuser_url(), autocommit=True) as opened:
            opened.execute(f"CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'")
            opened.execute(f"CREATE ROLE migrator LOGIN PASSWORD '{PASSWORD}'")
            reserves = opened.info.server_version >= RESERVES
            if reserves:
                opened.execute("GRANT pg_use_reserved_connections TO migrator")
                opened.execute("ALTER SYSTEM SET reserved_connections = 2")
        if reserves:
            started.restart()
        yield started, reserves


def test_a_full_server_lets_in_who_may_use_what_is_reserved_and_tells_the_others_what_to_do(server, monkeypatch):
    started, reserves = server
    app, migrator = (
        make_conninfo(started.superuser_url(), user=role, password=PASSWORD) for role in ("app", "migrator")
    )
    monkeypatch.setenv("APP", app)
    monkeypatch.setenv("MIGRATOR", migrator)
    held = []
    try:
        with pytest.raises(psycopg.OperationalError):
            while len(held) < 10:
                held.append(psycopg.connect(app))

        with pytest.raises(NoConnectionLeft, match="pg_use_reserved_connections") as refused:
            open_session(Target(1, "shop/staging/main", "env:APP"), name="locktender/test")
        assert isinstance(refused.value, TargetUnreachable)  # so it is waited for where that is
        assert refused.value.code == "too-many-clients"
        if reserves:
            with session(Target(1, "shop/staging/main", "env:MIGRATOR")) as opened:
                assert opened.execute("SELECT current_user").fetchone() == ("migrator",)
    finally:
        for one in held:
            one.close()
