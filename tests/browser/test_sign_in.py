"""Signing in, with the keyboard alone."""

import pytest
from playwright.sync_api import expect

PASSWORD = "correct horse battery"


@pytest.fixture
def lee(cast):
    cast.lee.set_password(PASSWORD)
    cast.lee.save()
    return cast.lee


def test_a_person_signs_in_with_the_keyboard_alone(lee, visit):
    page = visit("/account/")
    page.keyboard.type("lee")
    page.keyboard.press("Tab")
    page.keyboard.insert_text(PASSWORD)  # as a paste does
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Account")).to_be_visible()
    assert page.url.endswith("/account/")
    assert page.faults == []


def test_the_first_key_skips_the_frame(lee, visit):
    page = visit("/account/", lee)

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "main"


def test_what_has_the_focus_can_be_seen(lee, visit):
    page = visit("/account/", lee)

    page.keyboard.press("Tab")
    page.keyboard.press("Tab")

    outline = page.evaluate(
        "(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])(getComputedStyle(document.activeElement))"
    )
    assert outline == ["solid", "2px"]


def test_a_wrong_password_is_said_beside_the_form(lee, visit):
    page = visit("/sign-in/")
    page.get_by_label("Name").fill("lee")
    page.get_by_label("Password").fill("wrong")
    page.keyboard.press("Enter")

    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    assert page.get_by_label("Name").input_value() == "lee"


def test_the_account_menu_opens_and_closes_by_keys(lee, visit):
    page = visit("/account/", lee)
    menu = page.locator("details.menu")

    page.locator("details.menu summary").focus()
    page.keyboard.press("Enter")
    expect(menu).to_have_attribute("open", "")
    page.keyboard.press("Escape")

    expect(menu).not_to_have_attribute("open", "")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
