"""Forms, keys and copies: one press is one press, and typed text is not lost."""

import pytest
from playwright.sync_api import expect

from tests.browser import urls


@pytest.fixture
def world(settings):
    settings.ROOT_URLCONF = "tests.browser.urls"
    urls.WORLD = urls.World()
    urls.WORLD.may_answer.set()
    return urls.WORLD


@pytest.fixture
def page(world, visit, cast):
    """The page with the form, as Lee sees it."""
    return visit("/press/", cast.lee)


PRESS_TWICE = "(button) => { button.click(); setTimeout(() => { button.click(); fetch('/livez'); }, 300); }"
BUTTON = {"name": "Roll back rewards_prod"}


def test_a_double_press_is_sent_once(page, world):
    world.may_answer.clear()  # the server is slow, so there is time for a second press
    page.get_by_label("Type x to roll back").fill("x")

    with page.expect_request("**/livez"):
        page.get_by_role("button", **BUTTON).evaluate(PRESS_TWICE)
    world.may_answer.set()

    expect(page.get_by_label("Type x to roll back")).to_have_value("")
    assert len(world.pressed) == 1


@pytest.mark.parametrize("script", [True, False], ids=["with-javascript", "without"])
def test_enter_in_a_field_presses_nothing(world, visit, cast, script):
    page = visit("/press/", cast.lee, java_script_enabled=script)

    page.get_by_label("Type x to roll back").fill("x")
    page.keyboard.press("Enter")

    assert page.get_by_label("Type x to roll back").input_value() == "x"
    assert world.pressed == []


def test_a_press_works_without_javascript(world, visit, cast):
    page = visit("/press/", cast.lee, java_script_enabled=False)

    page.get_by_label("Type x to roll back").fill("x")
    page.get_by_role("button", **BUTTON).click()

    assert len(world.pressed) == 1


def test_a_press_without_a_connection_is_not_sent_and_says_so(page, world):
    page.evaluate("document.body.classList.add('off')")
    page.context.set_offline(True)
    page.get_by_label("Type x to roll back").fill("x")

    page.get_by_role("button", **BUTTON).click(no_wait_after=True)

    expect(page.locator("[data-unsent]")).to_contain_text("Nothing was started.")
    assert world.pressed == []
    page.context.set_offline(False)
    page.get_by_role("button", **BUTTON).click()
    expect(page.get_by_label("Type x to roll back")).to_have_value("")
    assert len(world.pressed) == 1


def test_written_text_survives_a_session_that_ended(page, world, cast):
    page.get_by_label("Comment").fill("Half a thought")
    page.get_by_label("Type x to roll back").fill("x")
    page.context.clear_cookies(name="sessionid")
    page.get_by_role("button", **BUTTON).click()
    page.wait_for_url("**/sign-in/?next=/press/")
    cast.lee.set_password("correct horse battery")
    cast.lee.save()

    page.get_by_label("Name").fill("lee")
    page.get_by_label("Password").fill("correct horse battery")
    page.keyboard.press("Enter")
    page.wait_for_url("**/press/")

    assert page.get_by_label("Comment").input_value() == "Half a thought"
    assert page.get_by_label("Type x to roll back").input_value() == ""
    page.get_by_label("Type x to roll back").fill("x")
    page.get_by_role("button", **BUTTON).click()
    expect(page.get_by_label("Comment")).to_have_value("")


def test_written_text_is_not_put_into_the_mouth_of_the_next_person(page, world, cast):
    page.get_by_label("Comment").fill("Half a thought")
    page.context.clear_cookies(name="sessionid")
    cast.mika.set_password("correct horse battery")
    cast.mika.save()
    page.goto("/sign-in/?next=/press/")

    page.get_by_label("Name").fill("mika")
    page.get_by_label("Password").fill("correct horse battery")
    page.keyboard.press("Enter")
    page.wait_for_url("**/press/")

    assert page.get_by_label("Comment").input_value() == ""


def test_a_copy_is_byte_for_byte_what_is_shown(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    page.get_by_role("button", name="Copy SQL").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "SELECT 1;\nSELECT 2 < 3;\n"


def test_keys_lead_to_pages_rows_filters_and_actions_and_press_nothing(page, world):
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent") == "one"
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent") == "two"
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.textContent") == "one"
    page.keyboard.press(".")
    assert page.evaluate("document.activeElement.id") == "comment"
    page.locator("h1").click()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "find"
    page.keyboard.type("gr?")
    assert page.get_by_label("Find").input_value() == "gr?"
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")

    page.keyboard.press("g")
    page.keyboard.press("r")

    page.wait_for_url("**/runs/")
    assert world.pressed == []


def test_keys_that_are_switched_off_do_nothing(page):
    page.context.add_cookies([{"name": "keys", "value": "off", "url": page.url}])
    page.reload()

    page.keyboard.press("?")
    page.keyboard.press("j")

    assert page.get_by_role("dialog").count() == 0
    assert page.evaluate("document.activeElement === document.body")
    page.get_by_role("button", name="Keys").click()
    expect(page.get_by_role("dialog")).to_be_visible()
