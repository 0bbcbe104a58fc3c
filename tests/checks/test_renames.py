"""Renames that old code does not notice: what is generated is run, used by old and new code, and recognised."""

import os
from collections.abc import Iterator

import psycopg
import pytest

from checks.phases import Phase, compatibility, phase_of
from checks.recipes import column_behind_view, column_synced, kept_names, table_behind_view
from checks.risk import Risk, classify
from tests.checks.rules.server import Server, server
from tests.checks.worlds import seen_in, world

__all__ = ["server"]
GIVEN = """
CREATE TABLE orders (id int PRIMARY KEY, total numeric(12,2) NOT NULL DEFAULT 5, note text);
INSERT INTO orders VALUES (1, 10, 'x');
"""


@pytest.fixture(scope="module")
def role(superuser: psycopg.Connection) -> Iterator[str]:
    """A role that owns nothing. What it was granted goes with the tables."""
    name = f"renames_{os.getpid()}"
    superuser.execute(f"CREATE ROLE {name}".encode())
    yield name
    superuser.execute(f"DROP ROLE {name}".encode())


def old_code(server: Server) -> None:
    """Do what code does that was written for the table of before."""
    server.run("INSERT INTO orders (id, total) VALUES (2, 20)")
    server.run("INSERT INTO orders (id) VALUES (3)")
    server.run("UPDATE orders SET total = 11 WHERE id = 1")
    server.run("INSERT INTO orders (id, total) VALUES (3, 9) ON CONFLICT (id) DO UPDATE SET total = 33")
    server.run("DELETE FROM orders WHERE id = 2")
    found = server.connection.execute("SELECT id, total FROM orders ORDER BY id FOR UPDATE").fetchall()
    assert found == [(1, 11), (3, 33)]


def rows(server: Server, query: str) -> list:
    return server.connection.execute(query).fetchall()


def test_a_column_renamed_behind_a_view_is_read_and_written_by_both_names(server):
    sql = column_behind_view("orders", "total", "amount", version=server.version)

    with server.having(GIVEN):
        server.run(sql)
        old_code(server)
        server.run("UPDATE orders SET amount = 1 WHERE id = 3")
        both = rows(server, "SELECT total, amount FROM orders ORDER BY id")

    assert both == [(11, 11), (1, 1)]


def test_a_table_renamed_behind_a_view_is_used_by_both_names(server):
    with server.having(GIVEN):
        server.run(table_behind_view("orders", "purchases", version=server.version))
        old_code(server)
        assert rows(server, "SELECT total FROM purchases ORDER BY id") == [(11,), (33,)]


def test_a_view_needs_grants_of_its_own_as_its_recipe_says(server, role):
    sql = table_behind_view("orders", "purchases", version=server.version)
    grant = next(line for line in sql.splitlines() if "GRANT" in line)

    assert grant.startswith("-- Then GRANT on orders what is granted on purchases")
    with server.having(GIVEN + f"GRANT USAGE ON SCHEMA public TO {role}; GRANT SELECT ON orders TO {role};"):
        server.run(sql)
        with server.connection.transaction(force_rollback=True):
            server.connection.execute(f"SET LOCAL ROLE {role}")
            assert rows(server, "SELECT count(*) FROM purchases") == [(1,)]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                server.connection.execute("SELECT count(*) FROM orders")
        server.run(f"GRANT SELECT ON orders TO {role}")
        with server.connection.transaction(force_rollback=True):
            server.connection.execute(f"SET LOCAL ROLE {role}")
            assert rows(server, "SELECT count(*) FROM orders") == [(1,)]


def test_row_level_security_reaches_through_the_view(server, role):
    policy = f"""
    GRANT USAGE ON SCHEMA public TO {role}; GRANT SELECT ON orders TO {role};
    ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON orders USING (false);
    """
    with server.having(GIVEN + policy):
        server.run(table_behind_view("orders", "purchases", version=server.version))
        server.run(f"GRANT SELECT ON orders TO {role}")
        with server.connection.transaction(force_rollback=True):
            server.connection.execute(f"SET LOCAL ROLE {role}")
            assert rows(server, "SELECT count(*) FROM orders") == [(0,)]
    assert "Row-level security does not reach through it." in table_behind_view("a", "b", version=14)


def test_a_synced_column_is_kept_equal_whoever_writes(server):
    relation = next(iter(world(GIVEN).schema.relations.values()))
    sql = column_synced("orders", "total", "amount", relation)

    with server.having(GIVEN):
        server.run(sql)
        assert rows(server, "SELECT amount FROM orders") == [(10,)]
        old_code(server)
        server.run("INSERT INTO orders (id, amount) VALUES (4, 44)")
        server.run("UPDATE orders SET amount = 12 WHERE id = 1")
        both = rows(server, "SELECT id, total, amount FROM orders ORDER BY id")

    assert both == [(1, 12, 12), (3, 33, 33), (4, 44, 44)]
    assert "ADD COLUMN amount numeric(12, 2);" in sql
    assert "-- locktender: batch table=orders key=id size=5000\nUPDATE orders SET amount = total" in sql


def test_a_synced_column_needs_to_know_the_type():
    assert column_synced("orders", "total", "amount", None) == ""


@pytest.mark.parametrize(
    "sql",
    [
        column_behind_view("orders", "total", "amount"),
        column_behind_view("public.orders", "total", '"Amount"', version=14),
        table_behind_view("orders", "purchases"),
        "ALTER TABLE orders RENAME TO p; CREATE VIEW orders AS SELECT id, total, note FROM p",
        (
            "ALTER TABLE orders RENAME note TO n; ALTER TABLE orders RENAME TO p;"
            "CREATE VIEW orders AS SELECT p.*, p.n AS note FROM p"
        ),
    ],
)
def test_what_is_generated_or_written_by_hand_is_recognised(sql):
    context = seen_in(sql, world(GIVEN, size=10**10))

    assert classify(context).risk is Risk.SAFE
    assert compatibility(context).is_compatible is True
    assert phase_of(context).phase is Phase.EXPAND
    assert kept_names(context)


def test_a_synced_column_is_compatible_and_its_filling_a_phase_of_its_own():
    given = world(GIVEN)
    context = seen_in(column_synced("orders", "total", "amount", next(iter(given.schema.relations.values()))), given)

    assert compatibility(context).is_compatible is True
    assert [str(one) for one in phase_of(context).statements] == ["expand", "expand", "expand", "migrate"]
    assert phase_of(context).phase is Phase.MIXED


@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE orders RENAME TO p",
        "ALTER TABLE orders RENAME TO p; CREATE VIEW orders AS SELECT id, total FROM p",
        "ALTER TABLE orders RENAME TO p; CREATE VIEW orders AS SELECT * FROM p WHERE id > 1",
        "ALTER TABLE orders RENAME TO p; CREATE VIEW orders AS SELECT DISTINCT * FROM p",
        "ALTER TABLE orders RENAME TO p; CREATE VIEW orders AS SELECT p.* FROM p, p AS q",
        "ALTER TABLE orders RENAME TO p; CREATE VIEW other AS SELECT * FROM p",
        "ALTER TABLE orders RENAME TO p; CREATE VIEW orders AS SELECT * FROM p; DROP VIEW orders",
        "ALTER TABLE orders RENAME total TO amount; CREATE VIEW v AS SELECT *, amount AS total FROM orders",
        "ALTER TABLE orders RENAME TO p; ALTER TABLE p RENAME total TO t; CREATE VIEW orders AS SELECT * FROM p",
        "ALTER TABLE orders RENAME TO p; CREATE VIEW orders (a, b, c) AS SELECT * FROM p",
    ],
)
def test_what_only_looks_like_it_is_not_taken_for_it(sql):
    context = seen_in(sql, world(GIVEN, size=1))

    assert compatibility(context).is_compatible is not True
    assert classify(context).risk is not Risk.SAFE
