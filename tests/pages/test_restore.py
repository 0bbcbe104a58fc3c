"""The page of a restore: nothing to press before what is lost was counted, and what it says then."""

from datetime import UTC, datetime

import pytest

from deployments.actors import EXECUTOR
from deployments.models import MigrationRun, TargetRequest
from deployments.models.backup import BackupLevel, BackupScope
from deployments.models.run import RunKind
from deployments.models.target_request import RequestKind
from deployments.services.backups import keep_backup
from deployments.services.looks import answer
from tests.pages.deployed import COMMENTED, deployed
from tests.pages.forms import fields_in, has_form
from tests.pages.markup import faults
from tests.pages.words import words

PRICE = {
    "tables": [
        {"table": '"public"."ledger"', "sure": "exact", "written": 4711, "gone": 12, "why": ""},
        {"table": '"public"."events"', "sure": "at-most", "written": 90, "gone": 0, "why": "TRUNCATE is not counted."},
        {"table": '"public"."notes"', "sure": "unknown", "written": None, "gone": None, "why": "It is locked."},
    ],
    "unchanged": 40,
    "wal_bytes": 31_200_000,
    "minutes": 84.0,
    "doubts": [],
}


@pytest.fixture
def kept(cast) -> MigrationRun:
    """A run on production that is over, and kept a backup first."""
    return kept_by(deployed(cast, COMMENTED))


def kept_by(run: MigrationRun) -> MigrationRun:
    """Return the run, which kept a backup of the whole database now."""
    job = run.jobs.get()
    keep_backup(
        job, fence=job.fence, scope=BackupScope.DATABASE, place="plane/run-1/job-1/fence-1",
        level=BackupLevel.READABLE, size_bytes=31_200_000_000, files=44,
        snapshot_at=datetime(2026, 11, 19, 3, 0, 10, tzinfo=UTC), snapshot_lsn="1A/2B", server_version=160_009,
        client_version="17.10", manifest_sha256="7c" * 32, actor=EXECUTOR,
    )  # fmt: skip
    return run


def counted(run: MigrationRun) -> None:
    wish = TargetRequest.objects.create(database=run.jobs.get().database, job=run.jobs.get(), kind=RequestKind.PRICE)
    answer(wish, found=PRICE)


def path_of(run: MigrationRun) -> str:
    return f"/runs/{run.number}/restore/"


def test_before_it_is_counted_nothing_can_be_pressed_but_the_counting(cast, browse, kept):
    client = browse(cast.noor)
    html = client.get(path_of(kept)).content.decode()
    assert faults(html) == []
    assert "What is lost was not counted yet." in html
    assert 'name="confirm"' not in html

    answered = client.post(path_of(kept), {"measure": "1"})

    assert answered.status_code == 303
    assert TargetRequest.objects.get(kind=RequestKind.PRICE).job == kept.jobs.get()
    assert "It is being counted." in client.get(path_of(kept)).content.decode()


def test_what_is_lost_stands_above_the_press_with_how_sure_it_is(cast, browse, kept):
    counted(kept)

    html = browse(cast.noor).get(path_of(kept)).content.decode()

    assert faults(html) == []
    assert "4\u00a0711 rows written since are lost, and at most 90 more." in html
    assert "<b>Nothing is known</b> of 1 table" in html
    assert "public.ledger: 4 711 written" in words(html)
    assert "It is locked." in html
    assert html.index("written since are lost") < html.index('name="confirm"')
    assert "Waits for approval by 1 DBA. Waits for approval by 1 architect." in html.replace("\\n", "") or (
        "Waits for approval by 1 architect. Waits for approval by 1 DBA." in html
    )


def test_a_press_freezes_a_run_that_waits_for_two_people_and_needs_the_typed_name(cast, browse, kept):
    counted(kept)
    client = browse(cast.noor)
    given = fields_in(client.get(path_of(kept)).content.decode(), "press") | {"reason": "It broke", "stop_writes": "on"}

    refused = client.post(path_of(kept), given | {"confirm": "staging"})
    pressed = client.post(path_of(kept), given | {"confirm": str(kept.environment)})

    assert refused.status_code == 422
    made = MigrationRun.objects.get(kind=RunKind.RESTORE)
    assert (pressed.status_code, pressed["Location"]) == (303, f"/runs/{made.number}/")
    assert made.plan["restore"]["stop_writes"] is True
    assert made.plan["restore"]["price"]["tables"] == PRICE["tables"]
    assert (made.state, made.plan["class"], made.reverts) == ("awaiting", "high-risk", kept)
    for path in (f"/runs/{made.number}/", f"/runs/{made.number}/approval/", f"/runs/{made.number}/restore/"):
        shown = browse(cast.lee).get(path)
        assert (path, shown.status_code, faults(shown.content.decode())) == (path, 200, [])
    asked = browse(cast.lee).get(f"/runs/{made.number}/approval/").content.decode()
    assert "4\u00a0711 rows exactly, at most 90 more, and of 1 table nothing is known." in asked
    assert "Its text destroys no data" not in asked


def test_what_was_counted_again_since_the_page_was_opened_is_shown_first(cast, browse, kept):
    counted(kept)
    client = browse(cast.noor)
    given = fields_in(client.get(path_of(kept)).content.decode(), "press") | {"reason": "It broke"}
    counted(kept)

    answered = client.post(path_of(kept), given | {"confirm": str(kept.environment)})

    assert answered.status_code == 409
    assert not MigrationRun.objects.filter(kind=RunKind.RESTORE).exists()


def test_who_may_not_restore_is_told_who_can(cast, browse, kept):
    counted(kept)

    html = browse(cast.dana).get(path_of(kept)).content.decode()

    assert not has_form(html, "press")
    assert "You may not restore what this run kept" in html


def test_a_run_that_kept_nothing_says_so(cast, browse):
    html = browse(cast.noor).get(path_of(deployed(cast, COMMENTED))).content.decode()

    assert "kept no backup of the whole database" in html
    assert not has_form(html, "press")
