"""The overview: what needs whom, what runs, and how an empty installation begins."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deployments.models import Grant, Policy, User
from deployments.models.grant import Role
from deployments.services.progress import write_progress
from deployments.states import JobState
from tests.pages import story
from tests.pages.markup import faults

PART = {"HX-Request": "true"}


@pytest.fixture
def staging_db(cast):
    return story.second_database(cast)


@pytest.fixture
def waiting(cast):
    """A controlled run on production, asked for by Dana, that waits for a DBA."""
    Policy.objects.create(environment=cast.production, version=2, rules={"staging_first": False}, reason="Alone")
    story.release(cast, {"001_ledger": story.LEDGER, "002_tight": story.TIGHT})
    story.read(cast.rewards_prod, {})
    return story.ask(cast.production, cast.dana)


def shown(browse, person, path="/"):
    answer = browse(person).get(path)
    html = answer.content.decode()
    assert answer.status_code == 200
    assert faults(html) == []
    return html


def items(html):
    """Return the numbers of the runs that need attention, in the order in which they are shown."""
    return re.findall(r'id="need-(\d+)"', html)


def test_a_new_installation_says_how_to_begin(database, browse):
    html = shown(browse, User.objects.create_user("first"))

    assert "No application yet." in html
    assert "manage.py add application" in html


def test_who_holds_no_role_is_told_so_and_sees_nothing(cast, browse, waiting):
    html = shown(browse, cast.charlie)

    assert "Nothing here is open to you yet." in html
    assert "rewards" not in html


def test_nothing_needs_anybody_and_the_last_success_is_named(cast, browse, staging_db):
    story.release(cast, {"001_ledger": story.LEDGER})
    story.read(staging_db, {})
    job = story.begin(story.ask(cast.staging, cast.dana), cast.dana)
    story.end(job, JobState.SUCCEEDED, applied=1)

    html = shown(browse, cast.lee)

    assert "Nothing needs you." in html
    assert f'Last success: <a href="/runs/{job.run.number}/">#{job.run.number}</a> on rewards/staging' in html
    assert "<title>Overview · Locktender</title>" in html
    assert items(html) == []


def test_a_decision_is_shown_first_to_who_can_give_it(cast, browse, waiting):
    lees, danas = shown(browse, cast.lee), shown(browse, cast.dana)

    assert "One thing needs you: one decision." in lees
    assert "Waits for you" in lees
    assert "<title>1 needs you · Locktender</title>" in lees
    assert "Waits for approval by 1 DBA." in lees
    assert "Nothing needs you." in danas
    assert "One thing needs somebody else: one decision." in danas
    assert "Architect or DBA" in danas
    assert "Waits for you" not in danas


def test_what_is_approved_waits_for_its_start(cast, browse, waiting):
    story.approve(waiting, cast.lee)

    html = shown(browse, cast.dana)

    assert "One thing needs you: one start." in html
    assert "Ready to start" in html


def test_a_run_in_doubt_comes_before_a_decision_for_who_can_do_both(cast, browse, waiting, staging_db):
    story.read(staging_db, {}, system_identifier="7000000000000000002")
    doubt = story.begin(story.ask(cast.staging, cast.dana), cast.dana)
    story.end(doubt, JobState.NEEDS_ATTENTION, error="The connection was lost inside COMMIT.", error_code="in-doubt")

    lees, mikas = shown(browse, cast.lee), shown(browse, cast.mika)

    assert items(lees) == [str(doubt.run.number), str(waiting.number)]
    assert "Two things need you: one unknown result, one decision." in lees
    assert "The connection was lost inside COMMIT." in lees
    assert "Nothing needs you." in mikas
    assert "DBA or On-call" in mikas


def test_what_waits_for_a_person_stands_before_what_others_must_see_to(cast, browse, staging_db):
    story.release(cast, {"001_ledger": story.LEDGER, "002_drop": story.DROP})
    Policy.objects.create(environment=cast.production, version=2, rules={"staging_first": False}, reason="Alone")
    story.read(staging_db, {})
    story.read(cast.rewards_prod, {}, system_identifier="7000000000000000002")
    doubt = story.begin(story.ask(cast.staging, cast.dana), cast.dana)
    story.end(doubt, JobState.NEEDS_ATTENTION, error="The connection was lost.", error_code="in-doubt")
    waits = story.ask(cast.production, cast.dana)

    assert items(shown(browse, cast.mika)) == [str(waits.number), str(doubt.run.number)]
    assert items(shown(browse, cast.lee)) == [str(doubt.run.number), str(waits.number)]


def test_a_failed_run_says_what_it_did_until_another_comes_after_it(cast, browse, staging_db):
    story.release(cast, {"001_ledger": story.LEDGER, "002_note": story.NOTES})
    story.read(staging_db, {})
    failed = story.begin(story.ask(cast.staging, cast.dana), cast.dana)
    story.end(failed, JobState.FAILED, applied=1, error="relation does not exist", error_code="statement-failed")
    first = shown(browse, cast.noor)
    assert "1 of 2 applied" in first
    assert "One thing needs you: one failed run." in first

    story.read(staging_db, {"001_ledger": story.LEDGER})
    again = story.ask(cast.staging, cast.dana)

    assert items(shown(browse, cast.noor)) == [str(again.number)]


def test_what_runs_is_live_by_itself(cast, browse, staging_db):
    story.release(cast, {"001_ledger": story.LEDGER, "002_note": story.NOTES, "003_tight": story.TIGHT})
    story.read(staging_db, {})
    job = story.begin(story.ask(cast.staging, cast.dana), cast.dana)
    step = story.at_step(job, "migrate", migration="002_note", number=2, of=3)
    client = browse(cast.lee)

    part = client.get("/?part=running", headers=PART).content.decode()

    assert faults(part) == []
    assert "2 of 3" in part
    assert 'id="overview"' not in part
    seen = re.search(r"seen=([0-9a-f]+)", part)[1]
    assert client.get(f"/?part=running&seen={seen}", headers=PART).status_code == 204
    write_progress(step, {"migration": "003_tight", "number": 3, "of": 3}, fence=job.fence)
    assert "3 of 3" in client.get(f"/?part=running&seen={seen}", headers=PART).content.decode()


def test_a_queued_run_names_what_it_waits_behind(cast, browse, staging_db):
    story.release(cast, {"001_ledger": story.LEDGER})
    story.read(staging_db, {})
    first = story.begin(story.ask(cast.staging, cast.dana), cast.dana)
    story.release(cast, {"001_ledger": story.LEDGER, "002_note": story.NOTES})
    second = story.ask(cast.staging, cast.dana)
    story.start(second, actor=story.person(cast.dana))

    html = shown(browse, cast.lee)

    assert f"Queued behind #{first.run.number}" in html


def test_an_overview_that_has_not_changed_is_not_sent_again(cast, browse, waiting):
    client = browse(cast.lee)
    seen = re.search(r'hx-get="/\?seen=([\d-]+)"', client.get("/").content.decode())[1]

    assert client.get(f"/?seen={seen}", headers=PART).status_code == 204
    story.approve(waiting, cast.lee)
    assert client.get(f"/?seen={seen}", headers=PART).status_code == 200
    assert browse(cast.mika).get(f"/?seen={seen}", headers=PART).status_code == 200


def test_a_person_of_one_environment_sees_only_that_one(cast, browse, waiting):
    Grant.objects.create(user=cast.charlie, role=Role.DBA, application=cast.rewards, environment=cast.staging)

    html = shown(browse, cast.charlie)

    assert "rewards/staging" in html
    assert "rewards/production" not in html
    assert items(html) == []


def test_an_overview_asks_little(cast, browse, waiting, staging_db):
    story.read(staging_db, {}, system_identifier="7000000000000000002")
    job = story.begin(story.ask(cast.staging, cast.dana), cast.dana)
    story.at_step(job, "migrate", number=1, of=2)
    client = browse(cast.lee)
    client.get("/")

    with CaptureQueriesContext(connection) as asked:
        client.get("/")

    assert len(asked) <= 36


def test_names_from_outside_are_text(cast, browse, staging_db):
    story.release(cast, {"001_<b>ledger": story.LEDGER})
    story.read(staging_db, {})
    story.ask(cast.staging, cast.dana)

    html = shown(browse, cast.dana)

    assert "<b>ledger" not in html
    assert "&lt;b&gt;ledger" in html
