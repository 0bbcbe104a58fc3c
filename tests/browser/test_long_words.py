"""Words without an end, as people and machines write them, push nothing off a page."""

import pytest

from tests.browser.looks import DESKTOP, NARROW, too_wide
from tests.pages import made

LONG = "without_an_end_" * 20
SCRIPTS = {
    f"20261101_{LONG[:180]}": f'ALTER TABLE "{"t" * 60}" ADD COLUMN {"c" * 60} text;\n',
    "20261102_drop": f'DROP TABLE "{"t" * 60}";\n',
}


@pytest.mark.parametrize("size", [DESKTOP, NARROW], ids=["desktop", "narrow"])
def test_a_word_without_an_end_makes_no_page_wider_than_its_window(visit, cast, size):
    run = made.requested(cast, scripts=SCRIPTS, reason="w" * 300, change_reference="r" * 120)
    page = visit("/", cast.lee, size=size)

    for path in ("/", "/runs/", "/approvals/", "/audit/", "/applications/rewards/", *pages_of(run.number)):
        page.goto(path)
        assert (path, too_wide(page)) == (path, [])


def pages_of(number: int) -> list[str]:
    return [f"/runs/{number}/", f"/runs/{number}/approval/", f"/runs/{number}/cancel/"]
