"""What code that was written for the schema before can no longer do, and which phase a migration is by that."""

import pytest

from checks.context import World
from checks.model import UNKNOWN
from checks.phases import Phase, compatibility, phase_of
from tests.checks.worlds import seen_in, world

GIVEN = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN positive AS int;
CREATE SEQUENCE numbers;
CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL DEFAULT '', code varchar(10), level int DEFAULT 1,
    price numeric(10,2), seen timestamp, CONSTRAINT level_there CHECK (level IS NOT NULL) NOT VALID);
CREATE UNIQUE INDEX users_code ON users (code);
CREATE INDEX users_name ON users (name);
CREATE TABLE orders (id int PRIMARY KEY);
CREATE VIEW shown AS SELECT id, name FROM users;
CREATE FUNCTION price(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE parts (id int) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (2);
"""
WORLD = world(GIVEN)


def judged(sql: str, given: World = WORLD):
    return compatibility(seen_in(sql, given))


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("ALTER TABLE users DROP COLUMN code", "code of users is gone"),
        ("ALTER TABLE users DROP COLUMN code, ADD COLUMN code text", "comes back without its values"),
        ("DROP TABLE orders", "table orders is gone"),
        ("DROP VIEW shown", "view shown is gone"),
        ("DROP FUNCTION price(int)", "function price is gone"),
        ("DROP TYPE mood", "type mood is gone"),
        ("DROP SEQUENCE numbers", "sequence numbers is gone"),
        ("DROP SCHEMA public CASCADE", "schema public is gone"),
        ("DROP TABLE users CASCADE", "everything that depends on it"),
        ("ALTER TABLE users RENAME code TO word", "code of users is called word now"),
        ("ALTER TABLE users RENAME TO people", "users is called people now"),
        ("ALTER TABLE users SET SCHEMA other", "is in schema other now"),
        ("ALTER TYPE mood RENAME VALUE 'sad' TO 'low'", "'sad' is called 'low' now"),
        ("ALTER TABLE users ADD COLUMN age int NOT NULL", "is NOT NULL and has no default"),
        ("ALTER TABLE users ALTER code SET NOT NULL", "is NOT NULL now"),
        ("ALTER TABLE users ALTER name DROP DEFAULT", "leave it out fail"),
        ("ALTER TABLE users ALTER price DROP DEFAULT, ALTER level DROP DEFAULT", "leave it out store NULL"),
        ("ALTER TABLE users ALTER code TYPE varchar(5)", "becomes varchar(5)"),
        ("ALTER TABLE users ALTER price TYPE numeric(10,4)", "becomes numeric"),
        ("ALTER TABLE users ALTER level TYPE text", "becomes text"),
        ("ALTER TABLE users ALTER seen TYPE timestamptz", "becomes timestamp"),
        ("ALTER TABLE users ADD CHECK (level > 0)", "refuses what old code could write"),
        ("ALTER TABLE users ADD CONSTRAINT k CHECK (level > 0) NOT VALID", "refuses what old code could write"),
        ("ALTER TABLE users ADD FOREIGN KEY (level) REFERENCES orders NOT VALID", "refuses what old code"),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON users (name)", "refuses equal values"),
        ("DROP INDEX users_code", "ON CONFLICT"),
        ("ALTER TABLE users DROP CONSTRAINT users_pkey", "ON CONFLICT"),
        ("ALTER DOMAIN positive ADD CHECK (value > 0)", "domain positive refuses"),
        ("ALTER TABLE users ENABLE ROW LEVEL SECURITY", "only the rows that a policy allows"),
        ("ALTER TABLE parts DETACH PARTITION parts_1", "loses the rows of a partition"),
        ("REVOKE SELECT ON users FROM public", "a privilege is taken away"),
        ("ALTER SCHEMA public RENAME TO p", "is called something else now"),
    ],
)
def test_what_breaks_is_told_and_makes_a_contract(sql, words):
    found = judged(sql)

    assert found.is_compatible is False
    assert words in " ".join(one.words for one in found.breaks)
    assert phase_of(seen_in(sql, WORLD)).phase in {Phase.CONTRACT, Phase.MIXED}


@pytest.mark.parametrize(
    ("sql", "phase"),
    [
        ("ALTER TABLE users ADD COLUMN age int", Phase.EXPAND),
        ("ALTER TABLE users ADD COLUMN age int NOT NULL DEFAULT 0", Phase.EXPAND),
        ("ALTER TABLE users ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY", Phase.EXPAND),
        ("ALTER TABLE users ADD COLUMN age int CHECK (age > 0)", Phase.EXPAND),
        ("ALTER TABLE users ADD COLUMN o int REFERENCES orders", Phase.EXPAND),
        ("ALTER TABLE users ADD COLUMN age int; ALTER TABLE users ADD CONSTRAINT k CHECK (age > 0)", Phase.EXPAND),
        ("ALTER TABLE users ALTER code TYPE text", Phase.EXPAND),
        ("ALTER TABLE users ALTER code TYPE varchar(20)", Phase.EXPAND),
        ("ALTER TABLE users ALTER price TYPE numeric(14,2)", Phase.EXPAND),
        ("ALTER TABLE users ALTER level TYPE bigint", Phase.EXPAND),
        ("ALTER TABLE users ALTER name DROP NOT NULL", Phase.EXPAND),
        ("ALTER TABLE users ALTER level SET NOT NULL", Phase.EXPAND),  # its check refuses new nulls already
        ("CREATE TABLE n (id int NOT NULL)", Phase.EXPAND),
        ("CREATE TABLE n (id int); ALTER TABLE n ADD CHECK (id > 0); ALTER TABLE n RENAME TO m", Phase.EXPAND),
        ("ALTER TYPE mood ADD VALUE 'calm'", Phase.EXPAND),
        ("CREATE VIEW v AS SELECT 1 AS one", Phase.EXPAND),
        ("DROP VIEW shown; CREATE VIEW shown AS SELECT id, name, code FROM users", Phase.EXPAND),
        ("CREATE TABLE n (LIKE orders); DROP TABLE orders; ALTER TABLE n RENAME TO orders", Phase.EXPAND),
        (
            "ALTER TABLE users ADD b int; ALTER TABLE users RENAME level TO a; ALTER TABLE users RENAME b TO level",
            Phase.EXPAND,
        ),
        ("UPDATE users SET code = 'x' WHERE id = 1", Phase.MIGRATE),
        ("INSERT INTO orders VALUES (7)", Phase.MIGRATE),
        ("CREATE INDEX CONCURRENTLY i ON users (name)", Phase.NEITHER),
        ("DROP INDEX users_name", Phase.NEITHER),
        (
            "CREATE TABLE parts_2 (id int); ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (2) TO (3)",
            Phase.EXPAND,
        ),
        ("COMMENT ON TABLE users IS 'x'", Phase.NEITHER),
        ("ALTER TABLE users VALIDATE CONSTRAINT level_there", Phase.NEITHER),
    ],
)
def test_what_old_code_does_not_notice(sql, phase):
    found = judged(sql)

    assert (found.breaks, found.unknown) == ((), ())
    assert phase_of(seen_in(sql, WORLD)).phase is phase


@pytest.mark.parametrize(
    "sql",
    [
        "DO $$ BEGIN NULL; END $$",
        "CREATE OR REPLACE FUNCTION price(int) RETURNS int LANGUAGE sql AS 'SELECT 2'",
        (
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
            "CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION f()"
        ),
        "CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION somewhere()",
        "CREATE POLICY p ON users USING (true)",
        "ALTER TABLE users OWNER TO somebody",
        "ALTER TABLE users DISABLE TRIGGER ALL",
        "SELECT some_function()",
    ],
)
def test_what_cannot_be_told_is_neither_yes_nor_no(sql):
    found = judged(sql)

    assert found.is_compatible is None
    assert all(one.line == 1 and one.words for one in found.unknown)


def test_a_trigger_that_only_fills_a_new_column_is_not_noticed():
    sql = """
    ALTER TABLE users ADD COLUMN cents bigint;
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN -- whole cents
        NEW.cents := NEW.price * 100; RETURN NEW;
    END $$;
    CREATE TRIGGER t BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION f();
    """

    assert judged(sql).is_compatible is True
    for other in ("NEW.price := 0", "NEW.cents := danger(1)", "NEW.cents := (SELECT 1)", "DELETE FROM users",
                  "IF NEW.code = E'\\';' THEN NEW.cents := 1; END IF"):  # fmt: skip
        assert judged(sql.replace("NEW.cents := NEW.price * 100", other)).is_compatible is None, other


def test_what_came_with_the_same_release_no_old_code_uses():
    grown = world(GIVEN + "ALTER TABLE users ADD COLUMN age int; CREATE TABLE extra (id int);")
    sql = "ALTER TABLE users ADD CHECK (age > 0); ALTER TABLE users DROP COLUMN age; DROP TABLE extra"
    context = seen_in(sql, grown)

    assert compatibility(context, old=WORLD.schema).is_compatible is True
    assert compatibility(context).is_compatible is False


def test_where_nothing_is_known_the_text_alone_is_judged():
    nowhere = World(UNKNOWN)

    assert judged("ALTER TABLE t DROP COLUMN a", nowhere).is_compatible is False
    assert judged("ALTER TABLE t ADD COLUMN a int", nowhere).is_compatible is True
    assert judged("ALTER TABLE t ALTER a TYPE bigint", nowhere).is_compatible is None
    assert judged("DROP INDEX i", nowhere).is_compatible is None
    assert judged("ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT * FROM u", nowhere).is_compatible is True


def test_each_break_has_its_statement_and_line():
    found = judged("ALTER TABLE users ADD x int;\n\nALTER TABLE users DROP code;\nDO ''")

    assert [(one.statement, one.line) for one in found.breaks] == [(1, 3)]
    assert [(one.statement, one.line) for one in found.unknown] == [(2, 4)]


def test_a_migration_of_several_phases_is_mixed_and_says_which():
    found = phase_of(seen_in("ALTER TABLE users ADD x int; UPDATE users SET x = 1 WHERE id = 1", WORLD))

    assert found.phase is Phase.MIXED
    assert found.words == "expand and migrate in one migration"
    assert found.statements == (Phase.EXPAND, Phase.MIGRATE)
    assert (
        phase_of(seen_in("ALTER TABLE users ADD x int;\nDO ''", WORLD)).words
        == "what happens in line 2 is not analysed"
    )
