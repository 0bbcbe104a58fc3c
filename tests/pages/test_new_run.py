"""A new run: what would run is shown before it is asked for, and asking twice asks once."""

import re
import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from deployments.models import Grant, MigrationRun, PeriodicTask, Policy
from deployments.models.grant import Role
from deployments.services.observe import OBSERVE_DATABASES
from tests.pages import story
from tests.pages.markup import faults

STAGING = "/runs/new/?environment=rewards/staging"
PRODUCTION = "/runs/new/?environment=rewards/production"
PART = {"HX-Request": "true"}
SCRIPTS = {"001_ledger": story.LEDGER, "002_tight": story.TIGHT}


@pytest.fixture
def staging_db(cast):
    story.release(cast, SCRIPTS)
    database = story.second_database(cast)
    story.read(database, {})
    return database


def shown(answer, status=200):
    html = answer.content.decode()
    assert answer.status_code == status
    assert faults(html) == []
    return html


def form_of(html, **typed):
    """Return what a browser would send from a page: its hidden fields, with what a person typed."""
    fields = {}
    for tag in re.findall(r'<input type="hidden"[^>]*>', html):
        name, value = re.search(r'name="([^"]+)"', tag), re.search(r'value="([^"]*)"', tag)
        if name[1] in {"request_key", "digest", "revision"}:
            fields[name[1]] = value[1] if value else ""
    return fields | {"reason": "Points need a currency", "change_reference": "CHG-7"} | typed


def test_without_an_environment_one_is_chosen_among_those_one_may_see(cast, browse):
    Grant.objects.create(user=cast.charlie, role=Role.VIEWER, application=cast.rewards, environment=cast.staging)

    danas, charlies = shown(browse(cast.dana).get("/runs/new/")), shown(browse(cast.charlie).get("/runs/new/"))

    assert '<option value="rewards/production">rewards/production, protected</option>' in danas
    assert "rewards/staging" in charlies
    assert "production" not in charlies


@pytest.mark.parametrize("path", ["rewards/nowhere", "rewards/production", "x", "rewards/production/main"])
def test_an_environment_one_may_not_know_of_is_not_there(cast, browse, path):
    client = browse(cast.charlie)

    assert client.get(f"/runs/new/?environment={path}").status_code == 404
    assert client.post(f"/runs/new/?environment={path}", {}).status_code == 404
    assert client.post("/runs/new/read-again/", {"environment": path}).status_code == 404
    assert browse(cast.dana).post("/runs/new/", {"reason": "x"}).status_code == 404
    assert MigrationRun.objects.count() == 0


def test_it_shows_what_would_run_in_which_order_and_what_it_would_need(cast, browse, staging_db):
    Policy.objects.create(environment=cast.staging, version=2, rules={"approvals": {"controlled": ["dba"]}}, reason="x")

    html = shown(browse(cast.dana).get(STAGING))

    assert "2 migrations would run on rewards/staging." in html
    assert "It would wait for approval by one DBA." in html
    assert html.index("001_<wbr>ledger") < html.index("002_<wbr>tight")
    assert "makes column note of ledger NOT NULL" in html
    assert "<h2>002_<wbr>tight</h2>" in html
    assert '<code class="code"><a href="/checks/set-not-null-scan/">set-not-null-scan</a></code>' in html
    assert html.count("not asked by this policy") == 9
    assert "Read <time" in html
    assert MigrationRun.objects.count() == 0


def test_asking_freezes_the_plan_and_leads_to_the_run(cast, browse, staging_db):
    client = browse(cast.dana)
    sent = form_of(shown(client.get(STAGING)))

    answer = client.post(STAGING, sent)

    run = MigrationRun.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, f"/runs/{run.number}/")
    assert (run.requested_by, run.reason, run.change_reference) == (cast.dana, "Points need a currency", "CHG-7")
    assert run.digest == sent["digest"]
    assert run.state == "awaiting"


def test_pressing_twice_asks_once_and_leads_to_the_same_run(cast, browse, staging_db):
    client = browse(cast.dana)
    sent = form_of(shown(client.get(STAGING)))

    answers = [client.post(STAGING, sent) for _ in range(2)]

    assert [(one.status_code, one["Location"]) for one in answers] == [(303, "/runs/1/")] * 2
    assert MigrationRun.objects.count() == 1


def test_a_key_that_is_no_key_is_refused_without_a_fault(cast, browse, staging_db):
    html = shown(browse(cast.dana).post(STAGING, {"reason": "x", "request_key": "nonsense"}), 422)

    assert MigrationRun.objects.count() == 0
    assert "Ask for a run on rewards/staging" in html


def test_without_a_reason_nothing_is_asked_and_the_rest_is_kept(cast, browse, staging_db):
    client = browse(cast.dana)

    html = shown(client.post(STAGING, form_of(shown(client.get(STAGING)), reason="  ")), 422)

    assert "A run needs a reason, for the people who approve it." in html
    assert 'value="CHG-7"' in html
    assert MigrationRun.objects.count() == 0


def test_what_moved_since_it_was_read_is_told_and_what_was_typed_is_kept(cast, browse, staging_db):
    client = browse(cast.dana)
    sent = form_of(shown(client.get(STAGING)))
    story.read(staging_db, {"001_ledger": story.LEDGER})

    html = shown(client.post(STAGING, sent), 409)

    assert "Changed since you opened it. Nothing was planned." in html
    assert "<code>draft-moved</code>" in html
    assert "Points need a currency" in html
    assert "1 migration would run on rewards/staging." in html
    assert MigrationRun.objects.count() == 0
    again = client.post(STAGING, form_of(html))
    assert again.status_code == 303
    assert [one["name"] for one in MigrationRun.objects.get().plan["migrations"]] == ["002_tight"]


def test_a_plan_that_is_open_already_closes_the_door_and_leads_to_its_run(cast, browse, staging_db):
    client = browse(cast.dana)
    sent = form_of(shown(client.get(STAGING)))
    run = story.ask(cast.staging, cast.lee)

    html, refused = shown(client.get(STAGING)), shown(client.post(STAGING, sent), 409)

    for page in (html, refused):
        assert f'<a href="/runs/{run.number}/">Run {run}</a> is open with exactly this plan.' in page
        assert '<form class="in stack" id="new-run"' not in page
    assert "<code>run-already-open</code>" in refused
    assert MigrationRun.objects.count() == 1


def test_who_may_not_ask_sees_what_would_run_and_who_can(cast, browse, staging_db):
    client = browse(cast.mika)

    html = shown(client.get(STAGING))
    answer = client.post(STAGING, {"reason": "x", "request_key": str(uuid.uuid4())})

    assert "2 migrations would run on rewards/staging." in html
    assert "that takes the role DBA or Developer or On-call for rewards/staging" in html
    assert "dana, lee, noor can." in html
    assert 'id="new-run"' not in html
    assert answer.status_code == 403
    assert MigrationRun.objects.count() == 0


REFUSALS = {
    "nothing-to-apply": lambda _cast, database: story.read(database, SCRIPTS),
    "history-unknown": lambda _cast, database: story.read(database, {"000_old": "SELECT 1"}),
    "edited-after-applied": lambda _cast, database: story.read(database, {"001_ledger": "SELECT 1"}),
    "out-of-order": lambda _cast, database: story.read(database, {"002_tight": story.TIGHT}),
    "plan-blocked": lambda cast, _database: story.release(cast, {"001_ledger": "VACUUM FULL ledger; BEGIN"}),
    "checks-unreadable": lambda cast, _database: story.release(cast, SCRIPTS, verify="SELECT 1"),
    "policy-unreadable": lambda cast, _database: Policy.objects.create(
        environment=cast.staging, version=2, rules={"nonsense": 1}, reason="x"
    ),
}


@pytest.mark.parametrize("code", REFUSALS)
def test_what_refuses_a_plan_is_told_with_its_code_before_anybody_presses(cast, browse, staging_db, code):
    client = browse(cast.dana)
    sent = form_of(shown(client.get(STAGING)))
    REFUSALS[code](cast, staging_db)

    html, refused = shown(client.get(STAGING)), client.post(STAGING, sent)

    assert f"<code>{code}</code>" in html
    assert '<form class="in stack" id="new-run"' not in html
    assert refused.status_code in {409, 422}
    assert f"<code>{code}</code>" in shown(refused, refused.status_code)
    assert MigrationRun.objects.count() == 0


def test_a_database_that_was_never_read_says_so(cast, browse):
    story.release(cast, SCRIPTS)

    html = shown(browse(cast.dana).get(PRODUCTION))

    assert "<code>not-observed</code>" in html
    assert "Never read" in html


def test_the_targets_are_read_again_on_request_and_the_page_says_until_when_it_waits(cast, browse, staging_db):
    PeriodicTask.objects.update_or_create(
        name=OBSERVE_DATABASES, defaults={"next_due_at": now() + timedelta(minutes=5)}
    )
    client = browse(cast.dana)

    answer = client.post("/runs/new/read-again/", {"environment": "rewards/staging"})

    assert answer.status_code == 303
    assert PeriodicTask.objects.get(name=OBSERVE_DATABASES).next_due_at <= now()
    assert "Asked for again" in shown(client.get(answer["Location"]))
    story.read(staging_db, {})
    assert "Asked for again" not in shown(client.get(answer["Location"]))


@pytest.mark.parametrize("asked", ["yesterday", "-1", "1e9", "99999999999999999999999", "²"])
def test_nonsense_in_the_address_is_not_believed(cast, browse, staging_db, asked):
    assert "Asked for again" not in shown(browse(cast.dana).get(f"{STAGING}&asked={asked}"))


def test_who_may_not_ask_cannot_have_the_targets_read(cast, browse, staging_db):
    PeriodicTask.objects.update_or_create(
        name=OBSERVE_DATABASES, defaults={"next_due_at": now() + timedelta(minutes=5)}
    )

    answer = browse(cast.ari).post("/runs/new/read-again/", {"environment": "rewards/staging"})

    assert answer.status_code == 403
    assert PeriodicTask.objects.get(name=OBSERVE_DATABASES).next_due_at > now()


def test_what_would_run_is_news_by_itself_and_the_form_is_left_alone(cast, browse, staging_db):
    client = browse(cast.dana)
    live = re.search(r'hx-get="([^"]+part=preview[^"]*)"', shown(client.get(STAGING)))[1].replace("&amp;", "&")
    assert client.get(live, headers=PART).status_code == 204

    story.read(staging_db, {"001_ledger": story.LEDGER})
    part = shown(client.get(live, headers=PART))

    assert "1 migration would run on rewards/staging." in part
    assert 'name="digest"' in part
    assert "<textarea" not in part


def test_a_refused_page_becomes_a_form_when_the_reason_is_gone(cast, browse, staging_db):
    story.read(staging_db, SCRIPTS)
    client = browse(cast.dana)
    live = re.search(r'hx-get="([^"]+)"', shown(client.get(STAGING)))[1].replace("&amp;", "&")

    story.release(cast, SCRIPTS | {"003_note": story.NOTES})
    part = shown(client.get(live, headers=PART))

    assert '<form class="in stack" id="new-run"' in part


def test_a_page_of_a_new_run_asks_little(cast, browse, staging_db):
    client = browse(cast.dana)
    client.get(STAGING)

    with CaptureQueriesContext(connection) as asked:
        client.get(STAGING)

    assert len(asked) <= 30
