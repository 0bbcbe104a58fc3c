"""Deciding and rolling back as people do it: by keyboard, on a phone, without JavaScript."""

import pytest
from playwright.sync_api import expect

from deployments.models import Approval, MigrationRun
from tests.browser.looks import PHONE, flaws
from tests.pages import made
from tests.pages.deployed import ADDED, COMMENTED, deployed
from tests.pages.test_restore import counted, kept_by


def tab_to(page, what, *, most=120):
    """Press Tab until this has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if what.evaluate("(one) => one === document.activeElement"):
            return
    pytest.fail("it cannot be reached by keyboard")


@pytest.mark.parametrize("script", [True, False], ids=["with-javascript", "without"])
def test_on_call_rolls_back_by_keyboard_on_a_phone(visit, cast, script):
    run = deployed(cast, COMMENTED)
    page = visit(f"/runs/{run.number}/rollback/", cast.noor, size=PHONE, java_script_enabled=script)
    reason = page.get_by_label("Reason")

    if script:
        tab_to(page, page.get_by_role("link", name="Go to: roll back rewards_prod"))
        tab_to(page, reason)
    else:
        reason.focus()
    page.keyboard.type("Points are slow since 03:27")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/2/")

    back = MigrationRun.objects.get(kind="rollback")
    assert (back.number, back.state, back.reason) == (2, "queued", "Points are slow since 03:27")


def test_a_dba_approves_by_keyboard(visit, cast):
    run = made.requested(cast)
    page = visit(f"/runs/{run.number}/approval/", cast.lee)

    tab_to(page, page.get_by_label("Type rewards/production to approve"))
    page.keyboard.type("rewards/production")
    page.keyboard.press("Enter")  # presses nothing
    page.keyboard.press("Tab")
    page.keyboard.type("Reads well")
    page.keyboard.press("Tab")
    assert not Approval.objects.exists()
    page.keyboard.press("Enter")

    page.get_by_text("You have decided about run #1 already.").wait_for()
    assert Approval.objects.get().comment == "Reads well"


def test_a_no_needs_no_typed_name_in_a_browser_either(visit, cast):
    run = made.requested(cast)
    page = visit(f"/runs/{run.number}/approval/", cast.lee)

    page.get_by_label("Comment").fill("Too much at once")
    page.get_by_role("button", name="Reject #1").click()

    page.get_by_text("Run #1 is rejected: there is nothing left to decide.").first.wait_for()
    assert Approval.objects.get().verdict == "rejected"


def test_a_copy_of_all_sql_is_what_runs(visit, cast):
    run = made.requested(cast)
    page = visit(f"/runs/{run.number}/approval/", cast.lee)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    page.get_by_role("button", name="Copy all SQL").click()

    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "".join(made.TWO.values())


@pytest.mark.parametrize("which", ["approval", "rollback", "restore"])
def test_the_pages_have_no_barrier_and_fit(visit, cast, which):
    run = made.requested(cast) if which == "approval" else deployed(cast, ADDED)
    if which == "restore":
        counted(kept_by(run))

    page = visit(f"/runs/{run.number}/{which}/", cast.lee)

    assert (flaws(page), page.faults) == ([], [])


def test_the_verdict_of_a_page_that_gets_no_answer_ages_and_a_press_is_not_sent(visit, cast):
    run = deployed(cast, COMMENTED)
    page = visit(f"/runs/{run.number}/rollback/", cast.noor, size=PHONE)
    page.evaluate("document.body.classList.add('off')")
    page.context.set_offline(True)

    page.get_by_label("Reason").fill("It broke")
    page.get_by_role("button", name="Roll back rewards_prod").click(no_wait_after=True)

    page.get_by_text("Nothing was started.").wait_for()
    assert not MigrationRun.objects.filter(kind="rollback").exists()
    page.context.set_offline(False)


def test_the_decision_is_one_press_away_on_a_phone_and_nobody_is_led_to_one_that_is_not_theirs(visit, cast):
    run = made.requested(cast)
    page = visit(f"/runs/{run.number}/approval/", cast.lee, size=PHONE, java_script_enabled=False)
    name = page.get_by_label("Type rewards/production to approve")
    expect(name).not_to_be_in_viewport()

    page.get_by_role("link", name="Go to the decision").click()

    expect(name).to_be_in_viewport()
    other = visit(f"/runs/{run.number}/approval/", cast.dana, size=PHONE)
    expect(other.get_by_role("link", name="Go to the decision")).to_have_count(0)
