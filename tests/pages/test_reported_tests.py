"""The result of the application's tests in the checklist: as reported for the commit of the plan, now."""

import uuid

import pytest

from checks.layouts import MigrationFiles
from deployments.actors import COMMAND_LINE, person
from deployments.services.plan import request_deploy
from deployments.services.report_tests import report_tests
from deployments.services.sync import sync
from deployments.sources.found import Found
from tests.pages import story
from tests.pages.markup import faults

COMMIT, OTHER = "5c0e7b2f" * 5, "a" * 40
URL = "https://ci.example.org/builds/7"


@pytest.fixture
def plan(cast):
    """Return a function that asks for a run of what a commit holds."""

    def ask(commit=COMMIT):
        files = MigrationFiles("001_ledger", "001", story.LEDGER.encode(), rollback=b"DROP TABLE ledger")
        sync(cast.rewards, found=Found((files,), None, story.LAYOUT), commit=commit, actor=COMMAND_LINE)
        for database in cast.production.databases.all():
            story.read(database, {})
        return request_deploy(cast.production, reason="x", request_key=uuid.uuid4(), actor=person(cast.dana))

    return ask


def report(cast, *, passed, commit=COMMIT, **told):
    report_tests(cast.rewards, commit=commit, passed=passed, actor=person(cast.dana), **told)


def item(cast, browse, run):
    """Return the row of the checklist about the tests, on both pages."""
    rows = set()
    for path in (f"/runs/{run.number}/", f"/runs/{run.number}/approval/"):
        html = browse(cast.lee).get(path).content.decode()
        assert faults(html) == []
        rows.add(html.split('<th scope="row">Tests of the application</th>')[1].split("</tr>")[0].split("<time")[0])
    (row,) = rows
    return row


def test_a_plan_reads_what_was_reported_for_its_commit(cast, browse, plan):
    report(cast, passed=False, commit=OTHER)
    report(cast, passed=True, url=URL, reason="2,114 tests")

    run = plan()

    (stored,) = [one for one in run.judgement["reviews"]["001_ledger"] if one["code"] == "tests"]
    assert (stored["outcome"], list(stored["evidence"])) == ("met", ["reported by dana: 2,114 tests"])
    assert "2,114 tests" in item(cast, browse, run)


def test_a_report_that_comes_after_the_plan_is_shown_and_the_newest_counts(cast, browse, plan):
    run = plan()
    assert "Not reported." in item(cast, browse, run)

    report(cast, passed=True)
    assert "The application&#x27;s tests passed on 5c0e7b2f5c0e." in item(cast, browse, run)

    report(cast, passed=False, url=URL)
    row = item(cast, browse, run)
    assert "Not met" in row
    assert "tests failed on 5c0e7b2f5c0e" in row


def test_the_result_is_linked_and_dated(cast, browse, plan):
    report(cast, passed=True, url=URL)
    run = plan()

    html = browse(cast.lee).get(f"/runs/{run.number}/").content.decode()

    row = html.split('<th scope="row">Tests of the application</th>')[1].split("</tr>")[0]
    assert f'<a href="{URL}" rel="noopener noreferrer">' in row
    assert "<time" in row


def test_what_was_reported_for_another_commit_says_nothing(cast, browse, plan):
    report(cast, passed=True, commit=OTHER)

    assert "Not reported." in item(cast, browse, plan())


def test_a_plain_folder_has_no_commit_and_so_no_result(cast, browse, plan):
    report(cast, passed=True)

    assert "Not reported." in item(cast, browse, plan(commit=""))
