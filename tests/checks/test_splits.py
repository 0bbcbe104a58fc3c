"""A migration that does several unrelated things falls apart, and the parts do what the whole did."""

import pytest

from checks.phases import split
from checks.statements import parse
from tests.checks.rules.server import Server, server
from tests.checks.worlds import seen_in, world

__all__ = ["server"]
GIVEN = """
CREATE TABLE users (id int PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users (id), total int);
CREATE TABLE log (id int);
"""
MANY = """-- for everything
SET lock_timeout = '2s';

-- a colour for users
ALTER TABLE users ADD COLUMN colour text; -- red, mostly
CREATE TYPE kind AS ENUM ('a', 'b');
/* orders are fast */ CREATE INDEX CONCURRENTLY orders_total ON orders (total);
ALTER TABLE log ADD COLUMN kind kind;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (1); RETURN NEW; END $$;
CREATE TRIGGER note AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION note();
DROP TABLE users CASCADE;
"""


def parts_of(sql: str) -> list[tuple[int, ...]]:
    return [one.statements for one in split(seen_in(sql, world(GIVEN)))]


@pytest.mark.parametrize(
    ("sql", "parts"),
    [
        ("ALTER TABLE users ADD a int; ALTER TABLE log ADD a int", [(0,), (1,)]),
        ("ALTER TABLE users ADD a int; ALTER TABLE log ADD a int; UPDATE users SET a = 1", [(0, 2), (1,)]),
        ("CREATE TABLE n (u int REFERENCES users); ALTER TABLE users ADD a int; ALTER TABLE log ADD a int",
         [(0, 1), (2,)]),
        ("CREATE TYPE k AS ENUM ('a'); ALTER TABLE users ADD a k; ALTER TABLE log ADD b k", []),
        ("ALTER TABLE users ADD a text; ALTER TABLE log ADD b text", [(0,), (1,)]),
        # The two tables of a foreign key belong together where the key itself is concerned.
        ("ALTER TABLE orders DROP CONSTRAINT orders_user_id_fkey; ALTER TABLE users ADD a int", []),
        ("ALTER TABLE users ADD a int; ALTER TABLE orders ADD a int", [(0,), (1,)]),
        ("ALTER TABLE users ADD a int; CREATE INDEX CONCURRENTLY i ON users (a); ALTER TABLE users ADD b int",
         [(0,), (1,), (2,)]),
        ("CREATE VIEW v AS SELECT * FROM users; ALTER TABLE users ADD a int", []),
        ("SET lock_timeout = '1s'; ALTER TABLE users ADD a int", []),
        ("ALTER TABLE users ADD a int; DO $$ BEGIN NULL; END $$; ALTER TABLE log ADD a int", []),
        ("ALTER TABLE users ADD a int; SELECT something(); ALTER TABLE log ADD a int", []),
        ("-- nothing", []),
    ],
)  # fmt: skip
def test_what_belongs_together_stays_together(sql, parts):
    assert parts_of(sql) == parts


def test_the_files_keep_text_comments_and_settings():
    files = split(seen_in(MANY.replace("DROP TABLE users CASCADE;\n", ""), world(GIVEN)))

    assert [one.statements for one in files] == [(1,), (2, 4, 5), (3,), (6,)]
    assert (
        files[0].text == "SET lock_timeout = '2s';\n-- a colour for users\nALTER TABLE users ADD COLUMN colour text;\n"
    )
    assert files[2].text == "/* orders are fast */\nCREATE INDEX CONCURRENTLY orders_total ON orders (total);\n"
    assert [one.is_alone for one in files] == [False, False, True, False]
    assert [one.title for one in files] == ["users", "log_and_note", "orders", "orders"]


def test_every_statement_is_in_exactly_one_file():
    context = seen_in(MANY, world(GIVEN))
    found = split(context)

    assert sorted(index for one in found for index in one.statements) == list(range(1, len(context.seen)))
    for one in found:
        inside = [statement.sql for statement in parse(one.text).statements if not statement.sql.startswith("SET")]
        assert inside == [context.script.statements[index].sql for index in one.statements]


def test_the_parts_in_order_do_what_the_whole_did(server: Server):
    whole = MANY.replace(" CONCURRENTLY", "")

    with server.having(GIVEN):
        server.run(whole)
        as_one = server.shape()
    with server.having(GIVEN):
        for one in split(seen_in(MANY, world(GIVEN))):
            server.run(one.text)
        as_many = server.shape()

    assert as_many == as_one
