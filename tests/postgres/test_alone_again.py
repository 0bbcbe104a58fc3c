"""A later run of a file that stopped in the middle: what has a transaction of its own is not done a second time."""

import pytest

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

        obey(one, desk.worker, {"migration": NAME, "statement": 1, "is_applied": False, "for_claim": 2}, claim=2)
        desk.run(one)

    assert count(notes) == 2


def test_a_look_says_of_what_an_earlier_run_has_done_that_it_is_done(notes):
    with notes.desk(job=2, fence=2) as desk, session(notes.target) as opened:
        seen = judged(opened, notes.target, script(NOTES, NAME), holder=desk.worker.holder)

    assert (seen.statement, seen.is_applied) == (2, False)
