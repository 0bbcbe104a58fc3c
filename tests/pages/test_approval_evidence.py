"""What the page of a decision knows, with its age, and what it says when it does not know."""

import pytest

from tests.pages import made, story
from tests.pages.deployed import ADDED, asked


@pytest.fixture
def run(cast):
    """A run on production that waits for a decision."""
    return made.requested(cast)


def path_of(run):
    return f"/runs/{run.number}/approval/"


def test_what_is_not_measured_never_looks_like_a_pass(run, cast, browse):
    html = browse(cast.lee).get(path_of(run)).content.decode()

    assert "It was not rehearsed with exactly these scripts." in html
    assert "No earlier environment has a database." in html
    assert "Nothing to compare" in html
    assert "Not asked by this policy" in html
    assert "the backup is read to its end, and no more" in html
    assert "rewards_prod as planned" in html


def test_the_same_scripts_in_an_earlier_environment_are_evidence_and_others_are_not(cast, browse):
    database = story.second_database(cast)
    story.release(cast, made.TWO)
    story.read(database, {}, system_identifier="7")
    rehearsed = story.ask(cast.staging, cast.dana)
    story.end(story.begin(rehearsed, cast.dana), "succeeded", applied=2)
    story.read(database, made.TWO, system_identifier="7")
    run = made.requested(cast)
    html = browse(cast.lee).get(path_of(run)).content.decode()
    assert f"Succeeded, byte for byte: {rehearsed} on staging with 2 of these 2." in html
    assert "Every migration of this plan is applied there, as last observed." in html

    other = asked(cast, ADDED)

    assert (
        "No run brought these scripts to an earlier environment."
        in browse(cast.lee).get(path_of(other)).content.decode()
    )


def test_scripts_that_went_through_earlier_in_several_runs_are_all_counted(cast, browse):
    database = story.second_database(cast)
    first, *_ = made.TWO
    story.release(cast, {first: made.TWO[first]})
    story.read(database, {}, system_identifier="7")
    one = story.ask(cast.staging, cast.dana)
    story.end(story.begin(one, cast.dana), "succeeded", applied=1)
    story.release(cast, made.TWO)
    story.read(database, {first: made.TWO[first]}, system_identifier="7")
    two = story.ask(cast.staging, cast.dana)
    story.end(story.begin(two, cast.dana), "succeeded", applied=1)
    story.read(database, made.TWO, system_identifier="7")

    html = browse(cast.lee).get(path_of(made.requested(cast))).content.decode()

    assert f"Succeeded, byte for byte: {two} on staging with 1 and {one} on staging with 1 of these 2." in html
    assert "In part" not in html


def test_a_target_that_moved_since_is_said_to_have_moved(run, cast, browse):
    story.read(cast.rewards_prod, {"20261101_points_currency": "SELECT 1"})

    assert "preflight would refuse" in browse(cast.lee).get(path_of(run)).content.decode()
