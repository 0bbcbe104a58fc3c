"""What follows from a look at the catalogue, and how a script is divided: values in, a verdict out."""

import pytest

from checks.layouts.split_names import split_paths
from checks.outside import Found, Next, Past, Remains, aim_of, definition_in, differences, shortcoming, verdict
from checks.policy import PolicyUnreadable, is_strict
from checks.report import judge
from checks.statements import parse
from checks.transactions import divided, is_mixed, is_one_transaction, sendable

HERE, OTHER, LEFT = Found(frozenset({1})), Found(frozenset({2})), Remains(9, "public", "x_ccnew")
HALF = Found(unfinished=(LEFT,))
BEGUN = Past(was_attempted=True, before=Found())
BEGUN_ON_IT = Past(was_attempted=True, before=HERE)
NEVER = Past()

BUILD = "CREATE INDEX CONCURRENTLY i ON t (a)"
REBUILD = "REINDEX INDEX CONCURRENTLY i"
DROP = "DROP INDEX CONCURRENTLY i"
DETACH = "ALTER TABLE t DETACH PARTITION p CONCURRENTLY"
SUBSCRIBE = "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p"
CONFIGURE = "ALTER SYSTEM SET work_mem = '8MB'"
ADD = "ALTER SUBSCRIPTION s ADD PUBLICATION p"

TABLE = [
    (BUILD, Found(), NEVER, Next.SEND),
    (BUILD, Found(), BEGUN, Next.SEND),
    (BUILD, HERE, NEVER, Next.SEND),  # the server refuses it in its own words
    (BUILD, HERE, BEGUN, Next.DONE),
    (BUILD, HERE, BEGUN_ON_IT, Next.SEND),  # it was there before: not ours
    (BUILD, HALF, BEGUN, Next.CLEAR),
    (BUILD, HALF, NEVER, Next.CLEAR),
    (BUILD, Found(frozenset({1}), differences=("columns",)), BEGUN, Next.DOUBT),
    (BUILD, Found(frozenset({1}), differences=("columns",)), NEVER, Next.DOUBT),
    (DROP, Found(), NEVER, Next.SEND),
    (DROP, Found(), BEGUN_ON_IT, Next.DONE),
    (DROP, HERE, BEGUN_ON_IT, Next.SEND),
    (DROP, OTHER, BEGUN_ON_IT, Next.DOUBT),
    (DROP, HALF, BEGUN_ON_IT, Next.SEND),
    (REBUILD, HERE, NEVER, Next.SEND),
    (REBUILD, HERE, BEGUN_ON_IT, Next.SEND),
    (REBUILD, OTHER, BEGUN_ON_IT, Next.DONE),
    (REBUILD, OTHER, BEGUN, Next.SEND),  # what was there is not known
    (REBUILD, Found(frozenset({1}), unfinished=(LEFT,)), BEGUN_ON_IT, Next.CLEAR),
    (
        REBUILD,
        Found(frozenset({1}), unfinished=(LEFT,)),
        Past(was_attempted=True, before=HALF),
        Next.SEND,
    ),  # it was left by others
    (DETACH, Found(is_reached=False), BEGUN, Next.SEND),
    (DETACH, Found(is_reached=True), BEGUN, Next.DONE),
    (DETACH, Found(is_reached=True), NEVER, Next.SEND),
    (DETACH, Found(), BEGUN, Next.DOUBT),
    (DETACH, HALF, BEGUN, Next.CLEAR),
    (SUBSCRIBE, Found(), NEVER, Next.SEND),
    (SUBSCRIBE, Found(), BEGUN, Next.DOUBT),
    (SUBSCRIBE, HERE, BEGUN, Next.DONE),
    (CONFIGURE, Found(), BEGUN, Next.SEND),
    (CONFIGURE, Found(is_reached=True), BEGUN, Next.DONE),
    (ADD, Found(), NEVER, Next.SEND),
    (ADD, Found(), BEGUN, Next.DOUBT),
    (ADD, Found(), Past(was_attempted=True, was_done=True), Next.DONE),
    ("VACUUM t", Found(), BEGUN, Next.SEND),
    ("CREATE INDEX CONCURRENTLY ON t (a)", Found(), BEGUN, Next.DOUBT),
    ("CREATE DATABASE d", HALF, BEGUN, Next.DOUBT),
]


def aim(text: str):
    return aim_of(parse(text).statements[0].tree, is_declared=True)


@pytest.mark.parametrize(("text", "found", "past", "expected"), TABLE)
def test_what_follows_from_what_the_catalogue_shows(text, found, past, expected):
    told = verdict(aim(text), found, past)

    assert told.next is expected
    assert bool(told.why) is (expected is Next.DOUBT)


@pytest.mark.parametrize(
    ("text", "found", "before", "problem"),
    [
        (BUILD, HERE, Found(), ""),
        (BUILD, Found(), Found(), "the server said it was done, but the index i is not there, or not valid"),
        (BUILD, Found(frozenset({1}), differences=("unique: no instead of yes",)), HERE, "it is another one: unique"),
        (DROP, Found(), HERE, ""),
        (DROP, HERE, HERE, "the index i is still there"),
        (DROP, OTHER, HERE, ""),  # one of the same name in another schema
        (REBUILD, HALF, HERE, "unfinished indexes are left: x_ccnew"),
        (DETACH, Found(is_reached=False), Found(), "the catalogue does not show it"),
        (CONFIGURE, Found(), Found(), ""),
        ("VACUUM t", Found(), Found(), ""),
    ],
)
def test_what_the_server_says_it_did_is_compared_with_the_catalogue(text, found, before, problem):
    told = shortcoming(aim(text), found, before)

    assert problem in told
    assert bool(told) is bool(problem)


def test_what_is_left_to_its_default_is_filled_in_and_what_cannot_be_read_equals_nothing():
    wanted = definition_in("CREATE INDEX CONCURRENTLY i ON t (a ASC NULLS LAST, b DESC NULLS FIRST) TABLESPACE fast")
    found = definition_in("CREATE INDEX i ON public.t USING btree (a, b DESC)")

    assert differences(wanted, found) == ("tablespace: the default instead of fast",)
    assert differences(found, wanted) == ()
    assert definition_in("CREATE INDEX i ON") is None
    assert definition_in("SELECT 1") is None


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("SELECT 1", 1),
        ("BEGIN; SELECT 1; COMMIT", 1),
        ("START TRANSACTION; SAVEPOINT a; ROLLBACK TO a; RELEASE a; END", 3),
        ("SAVEPOINT a", 1),
        ("BEGIN; SELECT 1", None),
        ("SELECT 1; COMMIT", None),
        ("BEGIN; SELECT 1; ROLLBACK", None),
        ("BEGIN; SELECT 1; COMMIT; SELECT 2", None),
        ("BEGIN; COMMIT; BEGIN; COMMIT", None),
        ("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT 1; COMMIT", None),
        ("BEGIN; SELECT 1; COMMIT AND CHAIN", None),
        ("BEGIN; VACUUM t; COMMIT", None),
        ("BEGIN; SELECT 1; PREPARE TRANSACTION 'x'", None),
    ],
)
def test_a_transaction_around_everything_is_the_runners_and_any_other_is_not_left_out(text, sent):
    statements = sendable(parse(text))

    assert (None if statements is None else len(statements)) == sent


@pytest.mark.parametrize(
    ("text", "mixed", "whole"),
    [
        ("CREATE TABLE t (); CREATE TABLE u ()", False, True),
        (f"{BUILD}; {DROP}", False, False),
        (f"SET work_mem = '1GB'; {BUILD}", False, False),
        (f"SET LOCAL work_mem = '1GB'; {BUILD}", True, False),
        (f"CREATE TABLE t (a int); {BUILD}", True, False),
        ("-- locktender: no-transaction\nCALL p()", False, False),
        ("-- locktender: no-transaction\nSELECT 1; SELECT 2", True, False),
        ("SELECT 'locktender: no-transaction'", False, True),
    ],
)
def test_a_file_is_mixed_when_it_can_stop_halfway(text, mixed, whole):
    script = parse(text)

    assert (is_mixed(script), is_one_transaction(script)) == (mixed, whole)


def test_a_mixed_file_is_divided_in_the_authors_order_with_its_settings_and_what_stands_alone_alone():
    script = parse(f"SET search_path = app; CREATE TABLE t (a int); {BUILD}; {DROP}; SELECT 1; SELECT 2")

    files = [(outside, [one.sql for one in statements]) for outside, statements in divided(script)]

    setting = "SET search_path = app"
    assert files == [
        (False, [setting, "CREATE TABLE t (a int)"]),
        (True, [setting, BUILD]),
        (True, [setting, DROP]),
        (False, [setting, "SELECT 1", "SELECT 2"]),
    ]
    (finding,) = (one for one in judge(script.text).findings if one.code == "mixed-transaction" and one.rewrite)
    assert finding.rewrite.count("-- file ") == 4
    assert not any(is_mixed(parse(f"-- {one}")) for one in finding.rewrite.split("-- file ")[1:])


@pytest.mark.parametrize(
    ("layout", "name", "paths"),
    [
        ("prisma", "20260102030405_add", ("20260102030405_add_1/migration.sql", "20260102030405_add_2/migration.sql")),
        ("sql-pairs", "009_add", ("009_add.up.sql", "010_add.up.sql")),
        ("plain", "add", ("add_1.sql", "add_2.sql")),
    ],
)
def test_the_files_are_called_so_that_their_tool_keeps_the_order(layout, name, paths):
    assert split_paths(layout, name, 2) == paths
    assert list(split_paths(layout, name, 12)) == sorted(split_paths(layout, name, 12))


def test_the_policy_is_strict_where_it_says_so_or_the_environment_is_protected():
    assert is_strict({}, protected=True)
    assert not is_strict({}, protected=False)
    assert not is_strict({"strict_scripts": False}, protected=True)
    with pytest.raises(PolicyUnreadable):
        is_strict({"strict_scripts": "yes"}, protected=True)
