"""The shape of a statement of others: what is shown has no value of theirs in it."""

import pytest

from checks.normalised import LONGEST, shape_of


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("SELECT a1 FROM t\n WHERE b = 'x''y' AND c > 1.5e-3", "SELECT a1 FROM t WHERE b = ? AND c > ?"),
        ("SELECT * FROM t WHERE id IN (1, 2,3)", "SELECT * FROM t WHERE id IN (?, …)"),
        ("UPDATE t SET n = $1 WHERE k = $2", "UPDATE t SET n = ? WHERE k = ?"),
        ("SELECT \"Last Name\", E'it\\'s', U&'d\\0061', B'01' FROM \"T\"", 'SELECT "Last Name", ?, … FROM "T"'),
        ("SELECT 1 /* by 'ann' /* nested */ still */ + 2 -- bob", "SELECT ? + ?"),
        ("DO $body$ BEGIN PERFORM 'x $$ y'; END $body$", "DO ?"),
        ("ALTER ROLE shop PASSWORD 'secret'", "ALTER ROLE shop PASSWORD ?"),
        ("COMMENT ON TABLE t IS 'secret'", "COMMENT ON TABLE t IS ?"),
        ("EXECUTE find('ann')", "EXECUTE find(?)"),
        ("SET app.person = ann", "SET app.person = ?"),
        ("set local app.person to ann, bob", "set local app.person = ?"),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"),
        ("autovacuum: VACUUM public.t (to prevent wraparound)", "autovacuum: VACUUM public.t (to prevent wraparound)"),
        ("", ""),
    ],
)
def test_names_and_words_stay_and_values_and_comments_go(text, shape):
    assert shape_of(text) == shape


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'secret",
        "SELECT E'secret\\",
        "SELECT $$ secret",
        "SELECT /* secret",
        "SELECT -- secret",
        "SELECT $a$ secret $b",
    ],
)
def test_what_the_server_cut_off_in_the_middle_of_a_value_shows_nothing_of_it(text):
    assert "secret" not in shape_of(text)


def test_two_statements_that_differ_in_their_values_have_one_shape():
    assert shape_of("SELECT 1 FROM t WHERE a = 'x'") == shape_of("SELECT 22 FROM t WHERE a = 'yy'")


def test_a_long_one_is_cut():
    assert len(shape_of("SELECT " + ", ".join(f"column_{number}" for number in range(900)))) == LONGEST + 1
