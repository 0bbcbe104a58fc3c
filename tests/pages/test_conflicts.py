"""What cannot go together is named before anything runs: open runs, versions out of order, files that were edited."""

from deployments.services.plan import request_deploy
from tests.pages import made, story
from tests.pages.markup import faults

OTHER = made.TWO | {"20261103_points_index": "CREATE INDEX CONCURRENTLY points_by_currency ON points (currency)"}


def shown(browse, person, path: str) -> str:
    answer = browse(person).get(path)
    html = answer.content.decode()
    assert answer.status_code == 200, html
    assert faults(html) == []
    return html.replace("<wbr>", "")


def test_two_open_runs_that_touch_the_same_are_named_on_both_and_before_a_third(cast, browse):
    first = made.requested(cast)
    story.release(cast, OTHER)
    second = story.ask(cast.production, cast.dana)

    for mine, other in ((first, second), (second, first)):
        for path in (f"/runs/{mine.number}/", f"/runs/{mine.number}/approval/"):
            html = shown(browse, cast.lee, path)
            assert f"Run #{other.number} is open too, and touches the same." in html, path
            assert f"Run #{mine.number} is open too" not in html
            assert "Both touch <code>points</code>" in html or "Both touch <code>public.points</code>" in html
    story.release(cast, OTHER | {"20261104_points_note": "ALTER TABLE points ADD COLUMN note text"})
    html = shown(browse, cast.dana, "/runs/new/?environment=rewards/production")
    assert f"Run #{first.number} is open too" in html
    assert f"Run #{second.number} is open too" in html


def test_runs_that_have_nothing_in_common_are_not_named(cast, browse):
    run = made.requested(cast)
    staging = story.second_database(cast)
    story.read(staging, {}, system_identifier="7000000000000000009")
    request_deploy(cast.staging, reason="Too", request_key=made.uuid.uuid4(), actor=made.person(cast.dana))

    assert "is open too" not in shown(browse, cast.lee, f"/runs/{run.number}/")


def test_a_file_that_was_edited_after_it_was_applied_is_named_with_both_checksums(cast, browse):
    applied = {"001_ledger": story.LEDGER, "002_notes": story.NOTES}
    story.release(cast, applied | {"001_ledger": "SELECT 1"})
    story.read(cast.rewards_prod, applied)
    then, now = (story.LAYOUT.checksum(text.encode()) for text in (story.LEDGER, "SELECT 1"))

    for path in (f"/databases/{cast.rewards_prod.pk}/", "/applications/rewards/"):
        html = shown(browse, cast.dana, path)
        assert "001_ledger.up.sql" in html, path
        assert then in html
        assert now in html
    refusal = shown(browse, cast.dana, "/runs/new/?environment=rewards/production")
    assert then in refusal
    assert now in refusal


def test_a_version_before_an_applied_one_is_named_before_a_run_is_asked_for(cast, browse):
    story.release(cast, {"001_ledger": story.LEDGER, "002_notes": story.NOTES, "003_more": "SELECT 1"})
    story.read(cast.rewards_prod, {"001_ledger": story.LEDGER, "003_more": "SELECT 1"})

    assert "1 is out of order" in shown(browse, cast.dana, "/databases/")
    for path in (f"/databases/{cast.rewards_prod.pk}/", "/applications/rewards/"):
        html = shown(browse, cast.dana, path)
        assert "<code>002_notes</code>" in html, path
        assert "stands before one that is" in html
