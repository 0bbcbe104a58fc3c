"""An index of the wanted name: whether it is the wanted index is said by its definition, as the server shows it."""

import pytest

from deployments.postgres.alone.comparing import differences_of
from deployments.postgres.stopped import InDoubt
from tests.postgres.interrupted import after_intent, oid_of, states, with_users
from tests.postgres.places import Place, script


@pytest.fixture
def users(place) -> Place:
    return with_users(place)


# Indexes: the definition decides, not the name.

SAME = [
    ("(name)", "(name)"),
    ("USING btree (name ASC NULLS LAST)", "(name)"),
    ("(name DESC)", "(name DESC NULLS FIRST)"),
    ("(name text_ops)", "(name)"),
    ("(lower(name))", "(lower(name))"),
    ("((state || 'x'))", "((state || 'x'::text))"),
    ("(id) WHERE state = 'open' AND id > 3", "(id) WHERE ((state = 'open'::text) AND (id > 3))"),
    ("(id) INCLUDE (note, state)", "(id) INCLUDE (note, state)"),
    ("(id) WITH (fillfactor = 70)", "(id) WITH (fillfactor='70')"),
    ('(name COLLATE "C")', '(name COLLATE "C")'),
    ("USING hash (id)", "USING hash (id)"),
]
OTHER = [
    ("(name)", "(id)", r"columns: \(id\) instead of \(name\)"),
    ("(name)", "(name, id)", "columns"),
    ("(name)", "(name DESC)", "columns"),
    ("(name)", "(name NULLS FIRST)", "columns"),
    ("(state)", "(state text_pattern_ops)", "columns"),
    ('(name COLLATE "C")', "(name)", "columns"),
    ("(lower(name))", "(upper(name))", "columns"),
    ("USING hash (id)", "USING btree (id)", "access method: btree instead of hash"),
    ("(id) WHERE state = 'open'", "(id) WHERE state = 'closed'", "predicate"),
    ("(id) WHERE state = 'open'", "(id)", "predicate: none instead of"),
    ("(id) INCLUDE (note)", "(id)", "included columns"),
    ("(id) WITH (fillfactor = 70)", "(id)", "storage: none instead of fillfactor=70"),
]


@pytest.mark.parametrize(("asked", "there"), SAME)
def test_an_index_that_a_crash_left_complete_is_recognised_however_it_is_spelled(users, asked, there):
    text = f"CREATE INDEX CONCURRENTLY by_it ON users {asked}"
    after_intent(users, text)
    users.do(f"CREATE INDEX by_it ON users {there}")
    built = oid_of(users, "by_it")

    users.run(text)

    assert (oid_of(users, "by_it"), states(users), users.history()) == (built, ["done"], [("001_ledger", "forward")])


@pytest.mark.parametrize(("asked", "there", "why"), OTHER)
@pytest.mark.parametrize("if_not", ["", "IF NOT EXISTS "])
def test_another_index_of_that_name_is_in_doubt_and_left_as_it_is(users, asked, there, why, if_not):
    users.do(f"CREATE INDEX by_it ON users {there}")
    built = oid_of(users, "by_it")

    with pytest.raises(InDoubt, match=f"index by_it is there, but it is another one: .*{why}"):
        users.run(f"CREATE INDEX CONCURRENTLY {if_not}by_it ON users {asked}")

    assert (oid_of(users, "by_it"), users.history()) == (built, [])


def test_a_unique_index_is_not_taken_for_a_plain_one_nor_one_on_another_table(users):
    users.do(
        "CREATE TABLE other (id int)", "CREATE UNIQUE INDEX by_id ON users (id)", "CREATE INDEX by_o ON other (id)"
    )

    with pytest.raises(InDoubt, match="unique: yes instead of no"):
        users.run("CREATE INDEX CONCURRENTLY by_id ON users (id)")
    with pytest.raises(InDoubt, match="on another table than users"):
        users.run("CREATE INDEX CONCURRENTLY by_o ON users (id)")


def test_if_not_exists_is_done_where_the_very_index_is_there(users):
    users.do("CREATE INDEX by_id ON users (id)")
    built = oid_of(users, "by_id")

    users.run("CREATE INDEX CONCURRENTLY IF NOT EXISTS by_id ON users (id)")

    assert (oid_of(users, "by_id"), users.history()) == (built, [("001_ledger", "forward")])


def test_the_probe_that_compares_leaves_nothing_and_without_the_right_to_make_one_nothing_is_guessed(users):
    text = "CREATE INDEX CONCURRENTLY by_id ON users (id) WHERE state = 'open'"
    users.do("CREATE INDEX by_id ON users (id) WHERE state = 'open'")
    [(name,)] = users.rows("SELECT current_database()")
    users.run(text.replace("CONCURRENTLY", "CONCURRENTLY IF NOT EXISTS"))
    assert users.rows("SELECT relname FROM pg_class WHERE relname LIKE 'locktender_probe%'") == []

    users.administer(
        f'REVOKE TEMPORARY ON DATABASE "{name}" FROM PUBLIC', f'ALTER DATABASE "{name}" OWNER TO CURRENT_USER'
    )
    with pytest.raises(InDoubt, match="predicate: "):
        users.run(text, "002_again", job=2, fence=2)


def test_the_probe_is_undone_at_once_so_that_the_next_one_in_that_session_is_answered_too(users):
    users.do("CREATE INDEX by_id ON users (id) WHERE state = 'open'")
    one = script("CREATE INDEX CONCURRENTLY by_id ON users (id) WHERE state = 'open'").sent[0]
    with users.connect() as opened:
        for _ in range(2):
            assert differences_of(opened, one.aim, oid_of(users, "by_id")) == ()
            left = opened.execute("SELECT relname FROM pg_class WHERE relname LIKE 'locktender_probe%'").fetchall()
            assert left == []


def test_a_setting_before_it_holds_for_it_and_names_mean_what_they_mean_there(users):
    users.do("CREATE SCHEMA app", "CREATE TABLE app.users (name text)")

    users.run("SET search_path = app; SET lock_timeout = '1ms'; CREATE INDEX CONCURRENTLY by_name ON users (name)")

    assert users.rows("SELECT indrelid::regclass::text FROM pg_index WHERE indexrelid = 'app.by_name'::regclass") == [
        ("app.users",)
    ]
