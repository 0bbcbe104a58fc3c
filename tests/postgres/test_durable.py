"""What is told to be committed is committed where the database's own commits are, whatever a file has set before."""

import pytest

from tests.postgres.places import Place

TELLING = """
CREATE TABLE seen (what text, how text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
  INSERT INTO public.seen VALUES (TG_TABLE_NAME, current_setting('synchronous_commit')); RETURN NULL; END $$;
CREATE TRIGGER tells AFTER INSERT OR UPDATE ON locktender.{0} FOR EACH ROW EXECUTE FUNCTION tell()
"""
OFF = "SET synchronous_commit = off"
IN_ONE = f"{OFF}; CREATE TABLE more (id int)"
ALONE = f"{OFF}; INSERT INTO users VALUES (7); VACUUM users"
BATCHED = f"{OFF};\n-- locktender: batch table=users key=id size=2\nUPDATE users SET visits = 1"


@pytest.fixture
def users(place) -> Place:
    place.do("CREATE TABLE users (id int PRIMARY KEY, visits int)", "INSERT INTO users SELECT generate_series(1, 5)")
    return place


def seen_at(place: Place, table: str, text: str) -> set[str]:
    """Return how the transactions that wrote to a table of records were to be committed, when they wrote."""
    place.do(TELLING.format(table))
    place.run(text)
    return {how for (how,) in place.rows("SELECT how FROM seen")}


@pytest.mark.parametrize(
    ("table", "text"),
    [("history", IN_ONE), ("history", ALONE), ("statement", ALONE), ("batch", BATCHED), ("statement", BATCHED)],
)
def test_no_record_is_committed_before_it_is_on_the_disk(users, table, text):
    assert seen_at(users, table, text) == {"on"}


@pytest.mark.parametrize(
    ("usual", "asked", "held"),
    [
        ("remote_apply", "local", "remote_apply"),
        ("remote_apply", "on", "remote_apply"),
        ("remote_write", "off", "remote_write"),
        ("local", "remote_apply", "remote_apply"),
        ("off", "local", "on"),
    ],
)
def test_a_file_may_wait_for_more_than_the_database_does_and_not_for_less(users, usual, asked, held):
    name = users.rows("SELECT current_database()")[0][0]
    users.administer(f"ALTER DATABASE {name} SET synchronous_commit = {usual}")

    assert seen_at(users, "history", f"SET LOCAL synchronous_commit = {asked}; CREATE TABLE more (id int)") == {held}
