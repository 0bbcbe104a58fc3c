"""A later run of a file that stopped in the middle: what has a transaction of its own is not done a second time."""

import psycopg
import pytest

from deployments.postgres.alone import acting
from deployments.postgres.connect import session
from deployments.postgres.decided import obey
from deployments.postgres.doubt import judged
from deployments.postgres.ledger import ROLLBACK
from deployments.postgres.stopped import InDoubt, StatementFailed
from tests.postgres.places import Place, script

NAME, NOTES = "002_notes", "INSERT INTO notes VALUES (1); VACUUM nowhere"


@pytest.fixture
def notes(place) -> Place:
    """A place where a run has come through the first statement of a file, and not through the second."""
    place.do("CREATE TABLE notes (id int)")
    place.run("CREATE TABLE other ()", "001_other")
    with pytest.raises(StatementFailed):
        place.run(NOTES, NAME)
    return place


def count(place: Place) -> int:
    return place.rows("SELECT count(*) FROM notes")[0][0]


def interrupted_after_one(place: Place, text: str, *, of: int = 1) -> None:
    with pytest.raises(StatementFailed, match="nowhere"):
        place.run(f"{text}; VACUUM nowhere", NAME, job=of, fence=of)


def roll_back_another(place: Place) -> None:
    with place.desk(job=2, fence=2) as desk:
        desk.run(script("DROP TABLE other", "001_other", ROLLBACK))


def test_what_an_earlier_run_has_done_is_not_done_again_by_the_next(notes):
    notes.do("CREATE TABLE nowhere ()")

    notes.run(NOTES, NAME, job=2, fence=2)

    assert count(notes) == 1
    assert notes.rows("SELECT job, position, state FROM locktender.statement WHERE job = 2 ORDER BY 2") == [
        (2, 1, "done"),
        (2, 2, "done"),
    ]


def test_a_statement_whose_text_was_changed_is_another_one(notes):
    notes.do("CREATE TABLE nowhere ()")

    notes.run(NOTES.replace("(1)", "(2)"), NAME, job=2, fence=2)

    assert notes.rows("SELECT id FROM notes ORDER BY 1") == [(1,), (2,)]


def test_what_a_way_back_may_have_undone_since_is_in_doubt_and_a_person_says(notes):
    roll_back_another(notes)
    notes.do("CREATE TABLE nowhere ()")
    one = script(NOTES, NAME)
    with notes.desk(job=3, fence=3) as desk:
        with pytest.raises(InDoubt, match="an earlier run has done it, and a migration was rolled back since"):
            desk.run(one)
        with session(notes.target) as opened:
            seen = judged(opened, notes.target, one, holder=desk.worker.holder)
        assert (seen.statement, seen.is_applied, count(notes)) == (1, None, 1)

    with notes.desk(job=3, fence=4) as desk:
        obey(one, desk.worker, {"migration": NAME, "statement": 1, "is_applied": False, "for_claim": 2}, claim=2)
        desk.run(one)

    assert count(notes) == 2


def test_a_look_says_of_what_an_earlier_run_has_done_that_it_is_done(notes):
    with notes.desk(job=2, fence=2) as desk, session(notes.target) as opened:
        seen = judged(opened, notes.target, script(NOTES, NAME), holder=desk.worker.holder)

    assert (seen.statement, seen.is_applied) == (2, False)


def test_a_setting_that_gives_names_their_meaning_is_part_of_what_was_done(place):
    place.do("CREATE SCHEMA a", "CREATE SCHEMA b", "CREATE TABLE a.notes (id int)", "CREATE TABLE b.notes (id int)")
    interrupted_after_one(place, "SET search_path = a; INSERT INTO notes VALUES (1)")

    desk = place.run("SET search_path = b; INSERT INTO notes VALUES (1); VACUUM notes", NAME, job=2, fence=2)

    assert (place.rows("SELECT id FROM a.notes"), place.rows("SELECT id FROM b.notes")) == ([(1,)], [(1,)])
    assert desk.lines == [
        f"{NAME}: an earlier attempt has done statement 2 as the file has it no more: what that did is in force"
    ]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "SET work_mem = '8MB'; "),
        ("SET lock_timeout = '1s'; ", ""),
        ("SET statement_timeout = '1s'; SET search_path = public; ", "SET search_path = public; "),
    ],
)
def test_a_setting_that_gives_nothing_its_meaning_makes_no_statement_another_one(place, before, after):
    place.do("CREATE TABLE notes (id int)")
    insert = "INSERT INTO notes VALUES (1)"
    interrupted_after_one(place, f"{before}{insert}; {insert}")

    place.run(f"{after}{insert}; {insert}; {insert}; VACUUM notes", NAME, job=2, fence=2)

    assert count(place) == 3


def test_what_was_done_at_another_place_of_the_file_is_in_doubt_and_a_person_says(place):
    place.do("CREATE TABLE notes (id int)")
    interrupted_after_one(place, "INSERT INTO notes VALUES (1)")
    one = script("DELETE FROM notes; INSERT INTO notes VALUES (1); VACUUM notes", NAME)
    with place.desk(job=2, fence=2) as desk:
        with pytest.raises(InDoubt, match="at another place among the statements of the file"):
            desk.run(one)
        with session(place.target) as opened:
            seen = judged(opened, place.target, one, holder=desk.worker.holder)
    assert (seen.statement, seen.is_applied, count(place)) == (2, None, 0)

    with place.desk(job=2, fence=3) as desk:
        obey(one, desk.worker, {"migration": NAME, "statement": 2, "is_applied": False, "for_claim": 2}, claim=2)
        desk.run(one)

    assert count(place) == 1


def test_what_a_person_lets_be_sent_again_is_sent_once_by_that_executor(place, monkeypatch):
    place.do("CREATE TABLE notes (id int)")
    place.do("CREATE PROCEDURE note() LANGUAGE plpgsql AS $$BEGIN INSERT INTO notes VALUES (1); COMMIT; END$$")
    one = script("-- locktender: no-transaction\nCALL note()", NAME)
    decided = {"migration": NAME, "statement": 1, "is_applied": False, "for_claim": 2}

    def reached(name: str) -> None:
        if name == "statement-acted":
            raise psycopg.OperationalError("the link broke")

    monkeypatch.setattr(acting, "crash_point", reached)
    with place.desk() as desk, pytest.raises(psycopg.OperationalError):
        desk.run(one)

    for error in (psycopg.OperationalError, InDoubt, InDoubt):
        with place.desk(fence=2) as desk:
            obey(one, desk.worker, decided, claim=2)
            with pytest.raises(error):
                desk.run(one)

    assert count(place) == 2
