"""Live parts: they ask for themselves, change only when there is news, and say when nobody answers."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.browser import urls

BEGAN = datetime(2026, 11, 19, 3, 14, tzinfo=UTC)


@pytest.fixture
def world(settings):
    settings.ROOT_URLCONF = "tests.browser.urls"
    urls.WORLD = urls.World()
    return urls.WORLD


@pytest.fixture
def page(world, visit, cast):
    """The live page, as Lee sees it, with a clock that the test moves."""
    opened = visit("/sign-in/", cast.lee)
    stop_the_clock(opened, "/live/")
    return opened


def stop_the_clock(page, path):
    """Open a page whose time goes on only when the test says so, however slow the machine is."""
    page.clock.install(time=BEGAN)
    page.goto(path)
    page.clock.pause_at(BEGAN + timedelta(minutes=1))
    settle(page)


def settle(page):
    """Wait until nothing is asked any more, and let HTMX finish what came."""
    expect(page.locator(".htmx-request:not(.htmx-settling)")).to_have_count(0)
    page.clock.run_for(50)


def seconds(page, count):
    """Let time pass on the page, and what it asks for be answered."""
    for _ in range(count):
        page.clock.run_for(950)
        settle(page)


def test_news_come_without_a_reload(page, world):
    expect(page.locator("[data-when=on]")).to_be_visible()
    assert page.get_by_text("Version 1.").is_visible()

    world.version = 2
    seconds(page, 2)

    expect(page.get_by_text("Version 2.")).to_be_visible()
    assert page.title() == "✕ #1042 at 2 · Locktender"
    assert re.search(r"/icons/tab-fail\.\w+\.svg$", page.locator("link[rel=icon]").get_attribute("href"))
    assert page.faults == []


def test_what_has_not_changed_is_not_touched(page, world):
    page.evaluate("document.getElementById('part').untouched = true")

    seconds(page, 3)

    assert "/live/?seen=1" in world.asked
    assert page.evaluate("document.getElementById('part').untouched")


def test_a_page_with_news_each_time_is_answered(page, world):
    for version in range(2, 20):  # well beyond the time without an answer that makes a page old
        world.version = version
        seconds(page, 1)

    expect(page.get_by_text(f"Version {world.version}.")).to_be_visible()
    assert len(world.asked) > 10
    assert not page.locator("body.off").count()
    expect(page.locator("[data-when=on]")).to_be_visible()


def test_a_final_part_asks_no_more(page, world):
    world.version, world.is_final = 2, True
    seconds(page, 2)
    expect(page.get_by_text("Version 2.")).to_be_visible()
    count = len(world.asked)

    seconds(page, 5)

    assert len(world.asked) == count
    assert not page.locator("[data-when=on]").is_visible()


def test_a_change_keeps_focus_text_scroll_and_what_was_opened(page, world):
    page.locator("#more").evaluate("(more) => (more.open = true)")
    page.locator("#lines").evaluate("(lines) => lines.scrollTo(0, 500)")
    page.locator("#typed").focus()

    world.version = 2
    seconds(page, 2)

    expect(page.get_by_text("Version 2.")).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "typed"
    assert page.locator("#more").evaluate("(more) => more.open")
    assert page.locator("#lines").evaluate("(lines) => lines.scrollTop") == 500


@pytest.mark.parametrize(
    ("role", "name"), [("link", "Whole log"), ("button", "Ask"), ("button", "Copy words"), (None, "More")]
)
def test_the_focus_stays_on_what_has_no_id(page, world, role, name):
    def stop():
        return page.get_by_role(role, name=name) if role else page.locator("summary", has_text=name)

    page.evaluate("document.body.style.paddingBottom = '3000px'")
    stop().focus()
    page.evaluate("scrollTo(0, 2000)")

    world.version = 2  # with one more link before it
    seconds(page, 2)

    expect(page.get_by_text("Version 2.")).to_be_visible()
    expect(stop()).to_be_focused()
    assert page.evaluate("scrollY") == 2000


def test_the_focus_goes_to_nothing_else_in_its_place_and_tab_goes_on_from_there(page, world):
    page.get_by_role("button", name="Ask").focus()

    world.version = 3
    seconds(page, 2)

    expect(page.get_by_role("button", name="Drop")).not_to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.getElementById('part').contains(document.activeElement)")


def test_news_wait_while_text_is_selected_but_not_for_ever(page, world):
    page.locator(".verdict .say").select_text()
    world.version = 2
    seconds(page, 20)

    assert page.evaluate("getSelection().toString().trim()") == "Version 1."
    assert not is_off(page)
    assert len(world.asked) > 10

    page.evaluate("getSelection().removeAllRanges()")
    seconds(page, 2)
    expect(page.get_by_text("Version 2.")).to_be_visible()

    page.locator(".verdict .say").select_text()
    world.version = 3
    seconds(page, 25)
    assert page.get_by_text("Version 2.", exact=True).is_visible()
    seconds(page, 12)
    expect(page.get_by_text("Version 3.")).to_be_visible()


def test_text_selected_beside_a_part_does_not_hold_its_news(page, world):
    page.get_by_role("heading", name="Live").select_text()

    world.version = 2
    seconds(page, 2)

    expect(page.get_by_text("Version 2.")).to_be_visible()
    assert page.evaluate("getSelection().toString().trim()") == "Live"


def is_off(page):
    """Say whether sign, bar, grey and verdict all say that the page is old, or none does. They may not disagree."""
    told = {
        page.locator("[data-when=off]").is_visible(),
        not page.locator("[data-when=on]").is_visible(),
        page.locator("[data-stale]").is_visible() and "No answer" in page.locator("[data-stale]").inner_text(),
        page.evaluate("document.body.classList.contains('off')"),
        "As of" in page.locator(".verdict .say").inner_text(),
        page.get_by_text("Pressing now is checked again.").is_visible(),
    }
    assert len(told) == 1
    return told.pop()


@pytest.mark.parametrize("how", ["line", "server"])
def test_a_page_nobody_answers_says_so_everywhere_and_recovers_by_itself(page, world, how):
    if how == "line":
        page.context.set_offline(True)
    else:
        world.is_broken = True
    seconds(page, 9)
    assert not is_off(page)

    seconds(page, 6)
    assert is_off(page)
    assert page.get_by_text("Version 1.").is_visible()

    world.version, world.is_broken = 2, False
    page.context.set_offline(False)
    seconds(page, 35)
    expect(page.get_by_text("Version 2.")).to_be_visible()
    assert not is_off(page)
    page.clock.run_for(5000)
    assert not page.locator("[data-stale]").is_visible()


def test_a_page_says_for_a_moment_that_it_is_up_to_date_again(page, world):
    page.context.set_offline(True)
    seconds(page, 15)
    assert is_off(page)

    page.context.set_offline(False)
    page.evaluate("window.dispatchEvent(new Event('online'))")

    expect(page.locator("[data-stale]")).to_have_text(re.compile("Up to date."))
    page.clock.run_for(4000)
    expect(page.locator("[data-stale]")).to_be_hidden()


def test_tries_become_rarer_while_nothing_answers(page, world):
    world.is_broken = True
    seconds(page, 8)
    first = len(world.asked)

    seconds(page, 30)

    assert len(world.asked) - first <= 4


def test_a_session_that_ended_leads_to_the_sign_in_and_back(page, world):
    world.is_signed_out = True
    page.context.clear_cookies()

    page.clock.run_for(2000)

    expect(page).to_have_url(re.compile(r"/sign-in/\?next=/live/$"))


def test_age_is_counted_on_the_page(world, visit, cast, settings):
    settings.DEBUG = True
    page = visit("/sign-in/", cast.lee)
    stop_the_clock(page, "/styleguide/")
    before = page.locator("time[data-ago]").first.inner_text()

    page.clock.run_for(8000)

    counted = int(re.match(r"\d+", page.locator("time[data-ago]").first.inner_text())[0])
    assert counted - int(re.match(r"\d+", before)[0]) in {7, 8, 9}
    assert {"name": "zone", "value": "Europe%2FBerlin"}.items() <= next(
        cookie for cookie in page.context.cookies() if cookie["name"] == "zone"
    ).items()
