"""The whole story in a browser: asked for, approved, watched live, rolled back on a phone, and found by an auditor."""

import pytest
from playwright.sync_api import expect

from deployments.actors import COMMAND_LINE
from deployments.models import MigrationRun, User
from deployments.models.grant import Role
from deployments.services import setup
from tests.browser.looks import PHONE
from tests.engine.conftest import migrator, rewards
from tests.engine.processes import PATIENCE_SECONDS, dispatcher

__all__ = ["migrator", "rewards"]

PATIENCE_MS = PATIENCE_SECONDS * 1000
RAIL = ("preflight", "backup", "checks before", "migrate", "checks after", "smoke", "health check", "watch")


@pytest.fixture
def story(rewards):
    """A controlled change that is in staging already, and a dispatcher; without Redis, which is enough."""
    setup.grant("ari", Role.AUDITOR, actor=COMMAND_LINE)
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    rewards.write("002_points", "ALTER TABLE ledger ADD points int NOT NULL", "ALTER TABLE ledger DROP points")
    rewards.deploy()
    rewards.observe(rewards.production)
    with dispatcher(rewards.environment | {"REDIS_URL": "redis://127.0.0.1:9/0"}):
        yield rewards


def who(name: str) -> User:
    return User.objects.get(username=name)


@pytest.mark.timeout(300)
def test_a_change_is_deployed_watched_rolled_back_and_found(story, visit):
    asking = visit("/runs/new/?environment=rewards/production", who("dana"))
    asking.get_by_label("Reason").fill("Points for partners")
    asking.get_by_role("button", name="Ask for a run on rewards/production").click()
    asking.wait_for_url("**/runs/2/")

    deciding = visit("/approvals/", who("lee"))
    deciding.get_by_role("link", name="#2").first.click()
    deciding.get_by_role("button", name="Approve #2").click()
    deciding.get_by_text("You have decided about run #2 already.").first.wait_for()

    asking.reload()
    asking.get_by_role("button", name="Start #2").click()
    watching = visit("/runs/2/", who("lee"))
    watching.evaluate("window.kept = true")
    expect(watching).to_have_title("✓ #2 succeeded · Locktender", timeout=PATIENCE_MS)
    assert watching.evaluate("window.kept"), "the page was loaded anew"
    for name in RAIL:
        expect(watching.locator("main")).to_contain_text(name)
    assert story.tables(story.production) == {"ledger"}

    phone = visit("/runs/2/rollback/", who("noor"), size=PHONE)
    phone.get_by_label("Type rewards/production to roll back").fill("rewards/production")
    phone.get_by_label("Reason").fill("Points are wrong")
    phone.get_by_role("button", name="Roll back").click()
    phone.wait_for_url("**/runs/3/")
    deciding.goto("/runs/3/approval/")
    deciding.get_by_role("button", name="Approve #3").click()
    deciding.get_by_text("You have decided about run #3 already.").first.wait_for()
    phone.reload()
    phone.get_by_role("button", name="Start #3").click()
    expect(phone).to_have_title("✓ #3 succeeded · Locktender", timeout=PATIENCE_MS)
    assert story.tables(story.production) == set()

    auditing = visit("/audit/?run=3", who("ari"))
    for told in ("run.requested", "run.approved", "Points are wrong", "noor", "lee"):
        expect(auditing.locator("main")).to_contain_text(told)
    assert [run.kind for run in MigrationRun.objects.order_by("number")] == ["deploy", "deploy", "rollback"]
    assert not [page.faults for page in (asking, deciding, watching, phone, auditing) if page.faults]
