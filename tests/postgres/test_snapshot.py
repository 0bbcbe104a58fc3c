"""The snapshot of a schema: every change of it shows, and a change that is undone does not."""

import pytest

from deployments.postgres.catalog import snapshot
from deployments.postgres.connect import session
from tests.postgres.places import Place

SCHEMA = """
CREATE TABLE users (id int PRIMARY KEY, name text, note text);
CREATE TABLE ledger (id int, owner int, points int DEFAULT 0, label text);
CREATE INDEX by_owner ON ledger (owner);
CREATE VIEW totals AS SELECT owner, sum(points) FROM ledger GROUP BY owner;
CREATE MATERIALIZED VIEW frozen AS SELECT owner FROM ledger;
CREATE FUNCTION double(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE ON ledger FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE DOMAIN amount AS int CHECK (VALUE >= 0);
CREATE SEQUENCE numbers;
CREATE POLICY own ON ledger USING (owner = 1);
CREATE TABLE parts (id int) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (2);
"""
# What is done, how it is undone, and the objects that must show it ("" where the inverse gives a new object).
CHANGES = {
    "a column": ("ALTER TABLE users ADD age int", "ALTER TABLE users DROP age", {"table public.users"}),
    "the type of a column": (
        "ALTER TABLE ledger ALTER label TYPE varchar(9)",
        "ALTER TABLE ledger ALTER label TYPE text",
        {"table public.ledger"},
    ),
    "a default": (
        "ALTER TABLE ledger ALTER points SET DEFAULT 1",
        "ALTER TABLE ledger ALTER points SET DEFAULT 0",
        {"table public.ledger"},
    ),
    "not null": (
        "ALTER TABLE users ALTER name SET NOT NULL",
        "ALTER TABLE users ALTER name DROP NOT NULL",
        {"table public.users"},
    ),
    "a constraint": (
        "ALTER TABLE ledger ADD CONSTRAINT own CHECK (points >= 0)",
        "ALTER TABLE ledger DROP CONSTRAINT own",
        {"table public.ledger"},
    ),
    "a foreign key": (
        "ALTER TABLE ledger ADD CONSTRAINT user_is FOREIGN KEY (owner) REFERENCES users NOT VALID",
        "ALTER TABLE ledger DROP CONSTRAINT user_is",
        {"table public.ledger"},
    ),
    "an index": ("CREATE INDEX by_label ON ledger (label)", "DROP INDEX by_label", {"table public.ledger"}),
    "the name of an index": (
        "ALTER INDEX by_owner RENAME TO of_owner",
        "ALTER INDEX of_owner RENAME TO by_owner",
        {"table public.ledger"},
    ),
    "a grant": ("GRANT SELECT ON ledger TO PUBLIC", "REVOKE SELECT ON ledger FROM PUBLIC", {"table public.ledger"}),
    "a grant on a column": (
        "GRANT UPDATE (points) ON ledger TO PUBLIC",
        "REVOKE UPDATE (points) ON ledger FROM PUBLIC",
        {"table public.ledger"},
    ),
    "the owner": (
        "ALTER TABLE users OWNER TO postgres",
        "ALTER TABLE users OWNER TO package_migrator",
        {"table public.users"},
    ),
    "a comment": (
        "COMMENT ON COLUMN ledger.points IS 'earned'",
        "COMMENT ON COLUMN ledger.points IS NULL",
        {"table public.ledger"},
    ),
    "a disabled trigger": (
        "ALTER TABLE ledger DISABLE TRIGGER touched",
        "ALTER TABLE ledger ENABLE TRIGGER touched",
        {"table public.ledger"},
    ),
    "the text of a view": (
        "CREATE OR REPLACE VIEW totals AS SELECT owner, sum(points + 0) FROM ledger GROUP BY owner",
        "CREATE OR REPLACE VIEW totals AS SELECT owner, sum(points) FROM ledger GROUP BY owner",
        {"view public.totals"},
    ),
    "an index of a materialized view": (
        "CREATE INDEX frozen_by ON frozen (owner)",
        "DROP INDEX frozen_by",
        {"materialized view public.frozen"},
    ),
    "the body of a function": (
        "CREATE OR REPLACE FUNCTION double(n int) RETURNS int LANGUAGE sql AS 'SELECT n + n'",
        "CREATE OR REPLACE FUNCTION double(n int) RETURNS int LANGUAGE sql AS 'SELECT n * 2'",
        {"function public.double(n integer)"},
    ),
    "a right on a function": (
        "REVOKE EXECUTE ON FUNCTION double FROM PUBLIC",
        "GRANT EXECUTE ON FUNCTION double TO PUBLIC",
        {"function public.double(n integer)"},
    ),
    "the label of an enum": (
        "ALTER TYPE mood RENAME VALUE 'bad' TO 'so-so'",
        "ALTER TYPE mood RENAME VALUE 'so-so' TO 'bad'",
        {"type public.mood"},
    ),
    "the check of a domain": (
        "ALTER DOMAIN amount ADD CONSTRAINT small CHECK (VALUE < 9)",
        "ALTER DOMAIN amount DROP CONSTRAINT small",
        {"type public.amount"},
    ),
    "the step of a sequence": (
        "ALTER SEQUENCE numbers INCREMENT 5",
        "ALTER SEQUENCE numbers INCREMENT 1",
        {"sequence public.numbers"},
    ),
    "a policy": (
        "ALTER POLICY own ON ledger USING (owner = 2)",
        "ALTER POLICY own ON ledger USING (owner = 1)",
        {"table public.ledger"},
    ),
    "row security": (
        "ALTER TABLE ledger ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE ledger DISABLE ROW LEVEL SECURITY",
        {"table public.ledger"},
    ),
    "an option of storage": (
        "ALTER TABLE ledger SET (fillfactor = 70)",
        "ALTER TABLE ledger RESET (fillfactor)",
        {"table public.ledger"},
    ),
    "a schema": ("CREATE SCHEMA app", "DROP SCHEMA app", {"schema app"}),
    "an extension": ("CREATE EXTENSION citext", "DROP EXTENSION citext", {"extension citext"}),
    "a detached partition": (
        "ALTER TABLE parts DETACH PARTITION parts_1",
        "ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES FROM (1) TO (2)",
        {"table public.parts_1"},
    ),
    "a composite type": ("CREATE TYPE pair AS (a int, b int)", "DROP TYPE pair", {"type public.pair"}),
    "a rule": (
        "CREATE RULE quiet AS ON DELETE TO ledger DO INSTEAD NOTHING",
        "DROP RULE quiet ON ledger",
        {"table public.ledger"},
    ),
    "statistics": (
        "CREATE STATISTICS both_of ON owner, points FROM ledger",
        "DROP STATISTICS both_of",
        {"table public.ledger"},
    ),
    "a constraint that is not validated": (
        "ALTER TABLE users ADD CONSTRAINT named CHECK (name <> '') NOT VALID",
        "ALTER TABLE users DROP CONSTRAINT named",
        {"table public.users"},
    ),
}


@pytest.fixture
def shop(place) -> Place:
    place.do(SCHEMA)
    return place


def look(place: Place) -> dict[str, str]:
    with session(place.target) as opened:
        return snapshot(opened)


def different(one: dict[str, str], other: dict[str, str]) -> set[str]:
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def test_every_change_shows_where_it_was_made_and_vanishes_when_it_is_undone(shop):
    before = look(shop)
    for what, (change, inverse, objects) in CHANGES.items():
        shop.administer(change)
        assert different(before, look(shop)) == objects, what

        shop.administer(inverse)
        assert different(before, look(shop)) == set(), what


def test_an_index_that_became_invalid_shows(shop):
    before = look(shop)
    set_validity = "UPDATE pg_index SET indisvalid = %s WHERE indexrelid = 'by_owner'::regclass RETURNING 1"

    shop.rows(set_validity, "false")
    assert different(before, look(shop)) == {"table public.ledger"}

    shop.rows(set_validity, "true")
    assert look(shop) == before


def test_validating_a_constraint_shows(shop):
    changes = ["ADD CONSTRAINT long CHECK (name <> '') NOT VALID"]
    if shop.rows("SELECT current_setting('server_version_num')::int >= 180000") == [(True,)]:
        changes.append("ADD CONSTRAINT named NOT NULL name NOT VALID")
    for change in changes:
        shop.do(f"ALTER TABLE users {change}")
        before = look(shop)

        shop.do(f"ALTER TABLE users VALIDATE CONSTRAINT {change.split()[2]}")

        assert different(before, look(shop)) == {"table public.users"}


def test_rows_and_what_the_server_counts_for_itself_do_not_show(shop):
    before = look(shop)

    shop.do(
        "INSERT INTO ledger VALUES (1, 1)", "SELECT nextval('numbers')", "ANALYZE", "REFRESH MATERIALIZED VIEW frozen"
    )
    shop.do("VACUUM FULL ledger")

    assert look(shop) == before


def test_the_search_path_of_a_session_changes_nothing_and_is_left_alone(shop):
    shop.do("CREATE SCHEMA app", "CREATE TABLE app.users (id int)")
    before = look(shop)

    with session(shop.target) as opened:
        opened.execute("SET search_path = app, public")
        assert snapshot(opened) == before
        assert opened.execute("SHOW search_path").fetchone() == ("app, public",)


def test_our_own_schema_and_members_of_extensions_are_no_part_of_it(shop):
    shop.administer("CREATE EXTENSION citext")

    names = look(shop).keys()

    assert not [name for name in names if "locktender" in name or ("citext" in name and name != "extension citext")]
    assert {"table public.users", "schema public"} <= names
