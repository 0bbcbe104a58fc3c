"""The latency of the application in a browser: without barriers in both themes, and alive without moving."""

from playwright.sync_api import expect

from tests.browser.looks import DESKTOP, NARROW, PHONE, flaws, shifts
from tests.pages import measured

TOLD = [(-30, 200.0), (-25, 212.0), (-20, None), (-15, 240.0), (5, 260.0), (10, 214.0)]


def test_a_course_with_a_gap_has_no_barrier_and_fits(cast, visit):
    run = measured.running(cast, *TOLD).job.run
    page = visit(f"/runs/{run.number}/", cast.lee)
    page.locator("#latency-figures summary").click()

    assert (flaws(page), page.faults) == ([], [])
    for width, height in (DESKTOP, PHONE, NARROW):
        page.set_viewport_size({"width": width, "height": height})
        assert page.locator("#latency svg[role=img]").bounding_box()["height"] == 120


def test_a_new_reading_is_shown_by_itself_and_nothing_moves(cast, visit):
    acts = measured.running(cast)
    page = visit(f"/runs/{acts.job.run.number}/", cast.lee)
    panel = page.locator("#latency")
    expect(panel).to_contain_text("no reading yet")
    page.locator("#latency-figures summary").click()
    height = panel.locator("svg[role=img]").bounding_box()["height"]

    measured.keep(acts.job, TOLD)
    expect(panel).to_contain_text("214\u00a0ms now")
    assert page.locator("#latency-figures").evaluate("(figures) => figures.open")
    page.locator("#latency-figures summary").click()
    closed = shifts(page)

    measured.keep(acts.job, [(15, 1_333.0)])
    expect(panel).to_contain_text("1\u00a0333\u00a0ms now")
    assert shifts(page) == closed
    assert panel.locator("svg[role=img]").bounding_box()["height"] == height
    assert page.faults == []
