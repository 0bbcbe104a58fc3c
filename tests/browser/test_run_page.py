"""The pages of runs in a browser: without barriers, never too wide, and alive without moving under the reader."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from deployments.services.progress import write_progress
from deployments.states import JobState, StepState
from tests.browser.looks import PHONE, flaws, shifts
from tests.pages import billed, made, measured


def pages_of(cast):
    """Return addresses that carry what pages of runs can carry."""
    acts = made.running(cast)
    number, step = acts.job.run.number, acts.job.steps.get(name="migrate")
    more = {**made.TWO, "20261103_more": "SELECT 1;\n"}
    waits = made.requested(cast, scripts=more).number
    return [
        "/runs/",
        f"/runs/{number}/",
        f"/runs/{number}/cancel/",
        f"/runs/{number}/pause/",
        f"/runs/{number}/steps/{step.pk}/",
        f"/runs/{waits}/",
    ]


def ended_pages_of(cast):
    return [f"/runs/{made.succeeded(cast).number}/"]


def doubtful_pages_of(cast):
    number = made.in_doubt(cast).number
    return [f"/runs/{number}/", f"/runs/{number}/resolve/"]


def resting_pages_of(cast):
    number = made.resting(cast).number
    return [f"/runs/{number}/", f"/runs/{number}/resume/"]


def waiting_pages_of(cast):
    number = made.waiting(cast).job.run.number
    return [f"/runs/{number}/", f"/runs/{number}/sessions/4711/end/"]


def billed_pages_of(cast):
    return [f"/runs/{billed.over_budget(cast).number}/"]


@pytest.mark.parametrize(
    "given", [pages_of, billed_pages_of, ended_pages_of, doubtful_pages_of, resting_pages_of, waiting_pages_of]
)
def test_a_page_of_a_run_has_no_barrier_and_fits(cast, visit, given):
    paths = given(cast)
    page = visit(paths[0], cast.lee)

    for path in paths:
        page.goto(path)
        page.evaluate("for (const one of document.querySelectorAll('details.fold')) one.open = true")
        assert (path, flaws(page)) == (path, [])

    assert page.faults == []


def test_a_live_run_tells_news_and_then_its_end_without_moving(cast, visit):
    acts = made.running(cast)
    step = acts.job.steps.get(name="migrate")
    page = visit(f"/runs/{acts.job.run.number}/", cast.lee)
    page.locator(".fold summary").first.click()
    page.evaluate("document.getElementById('plan').untouched = true")
    said = page.locator("[data-tab-said]")
    expect(said).to_have_text(re.compile("running"))
    moved = shifts(page)

    write_progress(
        step,
        {**step.progress, "number": 2, "of": 2, "statement": 2, "statements": 2, "sql": "SELECT 2"},
        fence=acts.fence,
    )
    expect(page.get_by_text("Statement 2 of 2")).to_be_visible()
    assert shifts(page) == moved
    assert page.locator(".fold").first.evaluate("(fold) => fold.open")

    made.stop(acts, StepState.FAILED, code="over-budget", text="It was cancelled by the guard.")
    acts.close(JobState.FAILED, error_code="over-budget", error="It was cancelled by the guard.", applied=1)

    expect(page.locator(".verdict .say")).to_have_text(re.compile("1 of 2 applied. The guard stopped it"))
    expect(page.locator("[data-live]")).to_have_count(0)
    expect(said).to_have_text(re.compile("✕ #1 failed"))
    assert page.title() == "✕ #1 failed · Locktender"
    assert page.evaluate("document.getElementById('plan').untouched")
    assert page.faults == []


def test_the_focus_stays_where_it_is_on_a_live_run(cast, visit):
    acts = measured.running(cast, (-5, 200.0), (5, 240.0))
    step = acts.job.steps.get(name="migrate")
    page = visit(f"/runs/{acts.job.run.number}/", cast.lee)
    stops = [
        page.get_by_role("link", name="Cancel run #1…"),
        page.get_by_role("link", name="Whole log"),
        page.locator(".rail a", has_text="migrate"),
        page.locator("#latency-figures summary"),
        page.get_by_role("link", name="every event of it"),
    ]

    for number, stop in enumerate(stops, start=1):
        stop.focus()
        write_progress(step, {**step.progress, "sql": f"SELECT {number}"}, fence=acts.fence)
        expect(page.locator(f"#sql-now-{step.pk}")).to_contain_text(f"SELECT {number}")
        expect(stop).to_be_focused()

    assert page.faults == []


def test_the_copy_of_a_script_is_the_script(cast, visit):
    run = made.requested(cast)
    page = visit(f"/runs/{run.number}/", cast.lee)
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")

    page.evaluate("document.getElementById('migration-2').open = true")
    page.locator("#migration-2").get_by_role("button", name="Copy SQL").click()

    page.wait_for_function("window.copied !== undefined")
    assert page.evaluate("window.copied") == made.TWO[run.plan["migrations"][1]["name"]]


def test_a_run_can_be_started_and_cancelled_without_javascript(cast, visit):
    run = made.approved(cast)
    page = visit(f"/runs/{run.number}/", cast.dana, java_script_enabled=False, size=PHONE)

    page.get_by_role("button", name="Start #1 on rewards_prod").click()
    page.get_by_role("link", name="Cancel run #1…").click()
    page.get_by_role("button", name="Cancel run #1 on rewards_prod").click()

    run.refresh_from_db()
    assert page.url.endswith(f"/runs/{run.number}/")
    assert run.state == "cancelled"
    assert run.cancel_requested_at > datetime.now(UTC) - timedelta(hours=1)
