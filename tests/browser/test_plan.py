"""The folded migrations of a plan: opened, they are loaded; without JavaScript a link leads to them."""

import pytest
from playwright.sync_api import expect

from deployments.views.planned import MOST_AT_ONCE
from tests.browser.looks import PHONE, flaws
from tests.pages import story

BASE = {"001_ledger": "CREATE TABLE ledger (id bigint PRIMARY KEY, note text);\n"}
LAST = MOST_AT_ONCE + 2


@pytest.fixture
def path(cast):
    """The page of a run whose last migrations are not on it."""
    new = {f"{number:03}_index": f"COMMENT ON TABLE ledger IS '{number}';\n" for number in range(2, LAST + 2)}
    story.release(cast, {**BASE, **new})
    for database in cast.production.databases.all():
        story.read(database, BASE)
    return f"/runs/{story.ask(cast.production, cast.dana).number}/"


def test_a_folded_migration_is_loaded_when_it_is_opened(visit, cast, path):
    page = visit(path, cast.lee, size=PHONE)
    fold = page.locator(f"#migration-{LAST}")
    expect(fold.locator("pre")).to_have_count(0)

    fold.locator("> summary").click()

    expect(fold.locator(f"#sql-{LAST}-1")).to_contain_text("COMMENT ON TABLE ledger")
    expect(fold.get_by_role("button", name="Copy SQL").first).to_be_visible()
    assert (flaws(page), page.faults) == ([], [])


def test_without_javascript_a_link_leads_to_it(visit, cast, path):
    page = visit(path, cast.lee, java_script_enabled=False)
    fold = page.locator(f"#migration-{LAST}")
    fold.locator("> summary").click()

    fold.get_by_role("link", name="Its statements").click()

    expect(page.locator(f"#sql-{LAST}-1")).to_contain_text("COMMENT ON TABLE ledger")
    expect(page.get_by_role("link", name="Run #1", exact=True)).to_be_visible()
