"""Databases: which are behind, when they were read, and which nobody has read."""

from deployments.models import Database, Grant, User
from deployments.models.grant import Role
from deployments.states import JobState
from tests.pages import story
from tests.pages.markup import faults

SCRIPTS = {"001_ledger": story.LEDGER, "002_tight": story.TIGHT}


def shown(browse, person):
    answer = browse(person).get("/databases/")
    html = answer.content.decode()
    assert answer.status_code == 200
    assert faults(html) == []
    return html


def test_without_a_database_it_says_how_one_is_added(database, browse):
    html = shown(browse, User.objects.create_user("first"))

    assert "No database yet." in html
    assert "manage.py add database" in html


def test_who_sees_none_is_not_told_that_there_are_none(cast, browse):
    html = shown(browse, cast.charlie)

    assert "There is no database that you may see." in html
    assert "rewards" not in html


def test_a_database_nobody_has_read_says_so_and_how(cast, browse):
    story.release(cast, SCRIPTS)

    html = shown(browse, cast.lee)

    assert "Of 1 database 1 was never read." in html
    assert "manage.py observe rewards/production/rewards_prod" in html
    assert "As released" not in html
    assert "behind" not in html


def test_each_database_says_how_far_behind_it_is_and_what_ran_there_last(cast, browse):
    staging = story.second_database(cast)
    story.release(cast, SCRIPTS)
    story.read(staging, {})
    job = story.begin(story.ask(cast.staging, cast.dana), cast.dana)
    story.end(job, JobState.SUCCEEDED, applied=2)
    story.read(staging, SCRIPTS)
    story.read(cast.rewards_prod, {"001_ledger": story.LEDGER}, system_identifier="7000000000000000002")

    html = shown(browse, cast.lee)

    assert "Of 2 databases 1 is behind." in html
    assert "<b>1 behind</b>" in html
    assert "As released" in html
    assert "PostgreSQL 16.9" in html
    assert '<a href="/runs/1/">#1</a>' in html
    assert html.index("rewards/staging") < html.index("rewards/production")


def test_what_is_foreign_or_edited_never_looks_like_a_pass(cast, browse):
    story.release(cast, SCRIPTS)
    story.read(cast.rewards_prod, SCRIPTS | {"003_theirs": "SELECT 1", "001_ledger": "SELECT 2"})

    html = shown(browse, cast.lee)

    assert "Of 1 database 1 is not as released." in html
    assert "1 foreign, 1 edited since" in html
    assert "As released" not in html


def test_all_is_well_is_said_in_one_sentence(cast, browse):
    story.release(cast, SCRIPTS)
    story.read(cast.rewards_prod, SCRIPTS)

    assert "Every database is as released." in shown(browse, cast.lee)


def test_an_application_that_was_never_synced_has_nothing_to_compare_with(cast, browse):
    story.read(cast.rewards_prod, SCRIPTS)

    html = shown(browse, cast.lee)

    assert "Of 1 database 1 was never compared with a release." in html
    assert "foreign" not in html
    assert "As released</" not in html
    assert "Every database is as released." not in html


def test_a_person_sees_the_databases_of_their_environments_alone(cast, browse):
    Database.objects.create(environment=cast.staging, name="rewards_staging", connection="env:X")
    Grant.objects.create(user=cast.charlie, role=Role.VIEWER, application=cast.rewards, environment=cast.staging)

    html = shown(browse, cast.charlie)

    assert "rewards_<wbr>staging" in html
    assert "prod" not in html.replace("product", "")
