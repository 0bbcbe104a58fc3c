"""A new run in a browser: what would run changes by itself, and what a person types stays."""

from playwright.sync_api import expect

from deployments.models import MigrationRun
from tests.pages import story

SCRIPTS = {"001_ledger": story.LEDGER, "002_tight": story.TIGHT}


def test_what_would_run_changes_under_a_person_who_types_and_only_that_is_asked_for(visit, cast):
    story.release(cast, SCRIPTS)
    database = story.second_database(cast)
    story.read(database, {})
    page = visit("/runs/new/?environment=rewards/staging", cast.dana)
    expect(page.get_by_text("2 migrations would run on rewards/staging.")).to_be_visible()
    page.get_by_label("Reason").fill("Points need a currency")

    story.read(database, {"001_ledger": story.LEDGER})

    expect(page.get_by_text("1 migration would run on rewards/staging.")).to_be_visible()
    expect(page.get_by_label("Reason")).to_have_value("Points need a currency")
    page.get_by_role("button", name="Ask for a run on rewards/staging").click()
    page.wait_for_url("**/runs/1/")
    run = MigrationRun.objects.get()
    assert [entry["name"] for entry in run.plan["migrations"]] == ["002_tight"]
    assert run.reason == "Points need a currency"
    assert page.faults == []
