"""An application and its migrations: which is where, what is asked there, and what a migration holds."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deployments.models import Contact, Environment, Grant, HealthCheck, Migration, Policy
from deployments.models.grant import Role
from deployments.states import JobState
from tests.pages import story
from tests.pages.markup import faults

SCRIPTS = {"001_ledger": story.LEDGER, "002_tight": story.TIGHT}
PAGE = "/applications/rewards/"


@pytest.fixture
def staging_db(cast):
    return story.second_database(cast)


def shown(browse, person, path=PAGE):
    answer = browse(person).get(path)
    html = answer.content.decode()
    assert answer.status_code == 200
    assert faults(html) == []
    return html


def row_of(html, name):
    """Return the words of a migration's row in the matrix."""
    row = re.search(
        rf'<tr><th scope="row"><a [^>]*><code>{name.replace("_", "_<wbr>")}</code>.*?</tr>', html, re.DOTALL
    )
    return " ".join(re.sub("<[^>]*>", " ", row[0]).split())


def test_an_application_that_was_never_synced_says_what_to_do(cast, browse):
    html = shown(browse, cast.lee)

    assert "Nothing was synced yet." in html
    assert "manage.py sync rewards" in html


def test_each_migration_is_shown_where_it_is_and_by_which_run(cast, browse, staging_db):
    story.release(cast, SCRIPTS)
    story.read(staging_db, {})
    job = story.begin(story.ask(cast.staging, cast.dana), cast.dana)
    story.end(job, JobState.SUCCEEDED, applied=2)
    story.read(staging_db, SCRIPTS)
    story.read(cast.rewards_prod, {"001_ledger": story.LEDGER}, system_identifier="7000000000000000002")
    waits = story.ask(cast.production, cast.dana)

    html = shown(browse, cast.lee)

    assert "Production is 1 behind." in html
    assert row_of(html, "001_ledger") == "001_ ledger Safe Applied #1 Applied"
    assert row_of(html, "002_tight") == f"002_ tight Controlled Applied #1 Waiting for approval {waits}"
    assert html.index("002_<wbr>tight") < html.index("001_<wbr>ledger")


def test_what_is_not_as_released_is_named_and_never_looks_like_a_pass(cast, browse, staging_db):
    story.release(cast, SCRIPTS)
    story.read(staging_db, {"001_ledger": "SELECT 1", "000_old": "SELECT 2"})

    html = shown(browse, cast.lee)

    assert "Staging is not as released; production was never read." in html
    assert row_of(html, "001_ledger") == "001_ ledger Safe Edited since Never read"
    assert row_of(html, "002_tight") == "002_ tight High-risk not planned Never read"
    assert "staging has 1 migration that the release does not have" in html
    assert "Applied</" not in html


def test_all_as_released_is_said_in_one_sentence(cast, browse, staging_db):
    story.release(cast, SCRIPTS)
    story.read(staging_db, SCRIPTS)
    story.read(cast.rewards_prod, SCRIPTS, system_identifier="7000000000000000002")

    assert "Every database has what the release has." in shown(browse, cast.lee)


def test_a_long_release_shows_its_newest_and_leads_to_all(cast, browse, staging_db):
    story.release(cast, {f"{number:03}_x": "SELECT 1" for number in range(60)})

    cut, whole = shown(browse, cast.lee), shown(browse, cast.lee, f"{PAGE}?all=1")

    assert "All 60 migrations" in cut
    assert "059_<wbr>x" in cut
    assert "000_<wbr>x" not in cut
    assert "000_<wbr>x" in whole


def test_an_environment_says_how_its_application_is_asked_and_whom_to_call(cast, browse, staging_db):
    HealthCheck.objects.create(environment=cast.production, url="https://rewards.example/health", text="<ok>")
    Environment.objects.filter(pk=cast.production.pk).update(application_version="5c0e7b2")
    Contact.objects.create(application=cast.rewards, kind="on-call", value="+49 30 555 014")
    Contact.objects.create(application=cast.rewards, environment=cast.staging, kind="dba", value="lee")

    html = shown(browse, cast.lee)

    assert "https://rewards.example/health</span> answers 200, and says “&lt;ok&gt;”" in html
    assert "5c0e7b2" in html
    assert "Version not known" in html  # of staging
    assert "none: after a run nobody asks the application" in html
    assert "<dt>On-call</dt><dd>+49 30 555 014</dd>" in html
    assert "<dt>DBA, staging</dt><dd>lee</dd>" in html


def test_the_door_to_a_new_run_is_open_to_who_may_and_says_who_can_to_the_others(cast, browse):
    danas, aris = shown(browse, cast.dana), shown(browse, cast.ari)

    assert 'href="/runs/new/?environment=rewards/production"' in danas
    assert "/runs/new/" not in aris
    assert "that takes the role DBA or Developer or On-call for rewards/production" in aris
    assert "dana, lee, noor can." in aris


def test_a_policy_is_told_in_words_per_class_and_what_it_does_not_ask_says_so(cast, browse):
    html = shown(browse, cast.lee)
    protected = html[html.index("Policy of Production") :]
    words = " ".join(re.sub("<[^>]*>", " ", protected).split())

    assert "Approvals not asked one DBA one DBA and one architect" in words
    assert "Rollback script with every migration" in words
    assert "Watch 10 min Contract 24 h after its expand, without the old application Window Not asked" in words
    assert protected.count("Not asked by this policy") == 2
    unprotected = html[html.index("Policy of Staging") : html.index("Policy of Production")]
    assert unprotected.count("Not asked by this policy") == 11


def test_a_policy_that_cannot_be_read_says_that_no_run_starts(cast, browse):
    Policy.objects.create(environment=cast.production, version=2, rules={"nonsense": 1}, reason="x")

    html = shown(browse, cast.lee)

    assert "No run can be judged by this policy." in html
    assert "<code>policy-unreadable</code>" in html


def test_a_person_of_one_environment_sees_that_one_alone(cast, browse, staging_db):
    story.release(cast, SCRIPTS)
    Grant.objects.create(user=cast.charlie, role=Role.VIEWER, application=cast.rewards, environment=cast.staging)
    Contact.objects.create(application=cast.rewards, environment=cast.production, kind="dba", value="secret-dba")

    html = shown(browse, cast.charlie)

    assert "Policy of Staging" in html
    assert "roduction" not in html
    assert "secret-dba" not in html


@pytest.mark.parametrize("path", [PAGE, "/applications/nothing/", f"{PAGE}migrations/1/", f"{PAGE}migrations/99/"])
def test_what_one_may_not_know_of_is_not_there(cast, browse, path):
    story.release(cast, SCRIPTS)

    assert browse(cast.charlie).get(path).status_code == 404


def test_a_page_of_an_application_asks_little(cast, browse, staging_db):
    story.release(cast, SCRIPTS)
    story.read(staging_db, SCRIPTS)
    client = browse(cast.lee)
    client.get(PAGE)

    with CaptureQueriesContext(connection) as asked:
        client.get(PAGE)

    assert len(asked) <= 30


def test_a_migration_shows_every_script_byte_for_byte_with_what_the_checks_say(cast, browse, staging_db):
    text = "-- <b>fast</b> & safe\nCREATE INDEX ledger_note ON ledger (note);\n"
    story.release(cast, {"001_index": text}, verify="-- expect: 0\nSELECT 0", notes="# Why\n<script>x</script>")
    stored = Migration.objects.get()

    html = shown(browse, cast.lee, f"{PAGE}migrations/{stored.pk}/")

    script = re.search(r'<pre class="sql" id="script-forward"[^>]*>(.*?)</pre>', html, re.DOTALL)[1]
    plain = re.sub("<[^>]*>", "", script).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert plain == text
    assert '<code class="code"><a href="/checks/index-not-concurrent/">index-not-concurrent</a></code>' in html
    assert 'id="script-rollback"' in html
    assert 'id="script-verify"' in html
    assert "&lt;script&gt;x&lt;/script&gt;" in html
    assert "Never read" in html
    assert 'class="l hit wait"' in script


def test_a_migration_with_other_bytes_under_its_name_leads_to_them(cast, browse):
    story.release(cast, {"001_ledger": story.LEDGER}, without_rollback=["001_ledger"])
    story.release(cast, {"001_ledger": "SELECT 1"})
    first, second = Migration.objects.order_by("pk")

    old, new = (shown(browse, cast.lee, f"{PAGE}migrations/{one.pk}/") for one in (first, second))

    assert "Not in the newest release." in old
    assert "<dt>Rollback</dt><dd>none</dd>" in old
    assert f'href="{PAGE}migrations/{first.pk}/"' in new


def test_a_script_that_cannot_be_read_is_shown_with_the_reason(cast, browse):
    story.release(cast, {"001_ledger": "CREATE TABEL x"})

    html = shown(browse, cast.lee, f"{PAGE}migrations/{Migration.objects.get().pk}/")

    assert "This cannot be analysed" in html
    assert "High-risk" in html
