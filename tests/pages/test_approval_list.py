"""The list of what waits for whose decision."""

import pytest

from tests.pages import made
from tests.pages.markup import faults


@pytest.fixture
def run(cast):
    """A high-risk run on production that Dana asked for: it waits for a DBA and an architect."""
    return made.requested(cast)


def path_of(run):
    return f"/runs/{run.number}/approval/"


def test_nothing_waits_for_somebody_and_the_list_says_so(cast, browse):
    html = browse(cast.lee).get("/approvals/").content.decode()

    assert "Nothing waits for you." in html
    assert "Nobody has decided anything yet." in html
    assert faults(html) == []


def test_what_waits_for_me_stands_before_what_waits_for_others(run, cast, browse):
    mine, others = (browse(who).get("/approvals/").content.decode() for who in (cast.lee, cast.dana))

    assert "Waits for you" in mine
    assert "2 migrations forward on rewards/production, high-risk." in mine
    assert "Waits for you" not in others
    assert "Waits for others" in others
    assert "You may not approve or reject this run: that takes the role Architect or DBA" in others
    assert f'href="{path_of(run)}"' in mine
