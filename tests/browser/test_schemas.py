"""What differs in a schema on a phone: readable in both themes, and accepted without JavaScript."""

import pytest
from playwright.sync_api import expect

from deployments.models import SchemaExpectation
from tests.browser.looks import PHONE, flaws, shifts
from tests.pages.test_schemas import GROWN, drift, read, schema

THEIRS = {
    "owner": "root",
    "view": " SELECT id,\n    note AS a_name_that_is_longer_than_the_window_of_a_phone\n   FROM users;",
}


@pytest.fixture
def path(cast) -> str:
    """The page of a database that somebody changed."""
    read(cast, schema())
    read(cast, schema(GROWN, theirs_with_a_name_that_is_longer_than_the_window_of_a_phone=THEIRS))
    return drift(cast)


def test_a_difference_is_readable_on_a_phone(visit, cast, path):
    page = visit(path, cast.lee, size=PHONE)

    expect(page.get_by_text("+ column note: type: text")).to_be_visible()
    assert (shifts(page), flaws(page), page.faults) == (0, [], [])


def test_without_javascript_it_is_folded_and_accepted(visit, cast, path):
    page = visit(path, cast.lee, size=PHONE, java_script_enabled=False)
    page.locator("summary", has_text="public.users").click()
    expect(page.get_by_text("+ column note: type: text")).to_be_hidden()

    page.get_by_label("Reason").fill("Incident 7")
    page.get_by_role("button", name="Accept the difference").click()

    expect(page.get_by_text("The schema is as expected.")).to_be_visible()
    assert SchemaExpectation.objects.latest("id").reason == "Incident 7"
