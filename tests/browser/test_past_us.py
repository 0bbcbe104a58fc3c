"""What was changed past Locktender, on a phone: readable in both themes, and ended without JavaScript."""

from playwright.sync_api import expect

from deployments.models import AlarmAnswer
from tests.browser.looks import PHONE, flaws, shifts
from tests.pages import past_us


def test_alarms_are_readable_on_a_phone_and_ended_without_javascript(visit, cast):
    path = f"/databases/{past_us.alarmed(cast).pk}/back-door/"
    page = visit(path, cast.lee, size=PHONE)
    assert (shifts(page), flaws(page), page.faults) == (0, [], [])

    page = visit(path, cast.lee, size=PHONE, java_script_enabled=False)
    page.get_by_label("Reason").fill("The nightly job; it was taken away")
    page.get_by_role("button", name="End 2 alarms").click()

    expect(page.get_by_text("No change of its history by somebody else is open.")).to_be_visible()
    assert AlarmAnswer.objects.count() == 2
