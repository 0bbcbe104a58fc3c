"""The page of the way back: what it says before the press."""

import re
from datetime import UTC, datetime

from django.db import connections
from django.test.utils import CaptureQueriesContext

from deployments.actors import EXECUTOR
from deployments.models import Application, Environment, PeriodicTask
from deployments.models.backup import BackupLevel, BackupScope
from deployments.services.backups import keep_backup
from deployments.services.observe import OBSERVE_DATABASES
from tests.pages import made
from tests.pages.deployed import ADDED, COMMENTED, asked, deployed, read
from tests.pages.forms import has_form
from tests.pages.markup import faults

MOST_QUERIES = 55
MOST_BYTES = 60_000


def path_of(run):
    return f"/runs/{run.number}/rollback/"


def html_of(client, run):
    return client.get(path_of(run)).content.decode()


def test_what_happens_what_is_lost_and_what_is_not_touched_stand_above_the_press(cast, browse):
    run = deployed(cast, ADDED)

    html = html_of(browse(cast.noor), run)

    assert faults(html) == []
    assert "The scripts undo the run and destroy data in ledger, points." in html
    assert "<b>2 of 2</b> of this run applied now" in html
    assert "Waits for approval by 1 DBA. Who could: lee, mika." in html
    for label in ("Happens", "Lost", "Not touched", "Takes", "Locks", "Proven", "Who"):
        assert f"<dt>{label}</dt>" in html
    assert html.index("<dt>Lost</dt>") < html.index('name="confirm"')
    scripts = [html.index(f'aria-label="{name}"') for name in ("002_ledger", "001_points")]
    assert scripts == sorted(scripts)


def test_nothing_that_was_not_measured_is_said_to_be_proven(cast, browse):
    html = html_of(browse(cast.noor), deployed(cast, ADDED))

    assert "Not rehearsed" in html
    assert "How many rows: not measured." in html
    assert "Not measured" in html
    assert "Verified" not in html


def test_who_may_know_of_nothing_finds_nothing(cast, browse):
    run = deployed(cast, COMMENTED)

    assert browse(cast.charlie).get(path_of(run)).status_code == 404
    assert browse(cast.charlie).post(path_of(run), {"read": "1"}).status_code == 404


def test_a_run_that_did_nothing_has_nothing_to_roll_back(cast, browse):
    html = html_of(browse(cast.noor), asked(cast, COMMENTED))

    assert "Run #1 has executed nothing: there is nothing to roll back." in html
    assert not has_form(html, "press")
    assert faults(html) == []


def test_prisma_would_apply_it_again_and_the_page_says_so(cast, browse):
    run = deployed(cast, COMMENTED)
    assert "prisma migrate deploy" not in html_of(browse(cast.noor), run)

    Application.objects.update(layout="prisma")

    assert "The next <code>prisma migrate deploy</code> would apply them again" in html_of(browse(cast.noor), run)


def test_the_backup_of_the_run_leads_to_what_a_restore_would_lose(cast, browse):
    run = deployed(cast, COMMENTED)
    keep_backup(
        run.jobs.get(), fence=run.jobs.get().fence, scope=BackupScope.DATABASE,
        place="plane/run-1/job-1/fence-1", level=BackupLevel.READABLE,
        size_bytes=31_200_000_000, files=44, snapshot_at=datetime(2026, 11, 19, 3, 0, 10, tzinfo=UTC),
        snapshot_lsn="1A/2B", server_version=160_009, client_version="17.10", manifest_sha256="7c" * 32,
        actor=EXECUTOR,
    )  # fmt: skip

    html = html_of(browse(cast.noor), run)

    assert "31.2\u00a0GB" in html
    assert f'href="/runs/{run.number}/restore/"' in html


def test_a_target_that_was_not_read_since_is_said_to_be_old_and_can_be_read_again(cast, browse):
    run = deployed(cast, COMMENTED)
    client = browse(cast.noor)
    assert "Not read since the run ended" not in html_of(client, run)
    failed = made.failed(cast, scripts={**{name: pair[0] for name, pair in COMMENTED.items()}, "009_x": "SELECT 9"})
    PeriodicTask.objects.all().delete()

    assert "Not read since the run ended" in html_of(client, failed)
    answer = client.post(path_of(failed), {"read": "1"})

    assert (answer.status_code, answer["Location"]) == (303, f"{path_of(failed)}?asked")
    assert PeriodicTask.objects.filter(name=OBSERVE_DATABASES).exists()


def test_the_verdict_asks_for_itself_and_leaves_the_form_alone(cast, browse):
    run = deployed(cast, COMMENTED)
    client = browse(cast.noor)
    path = re.search(r'hx-get="([^"]+part=verdict[^"]+)"', html_of(client, run))[1].replace("&amp;", "&")
    asks = {"HX-Request": "true"}

    assert client.get(path, headers=asks).status_code == 204
    read(cast, {})
    part = client.get(path, headers=asks).content.decode()

    assert "No way back by script now." in part
    assert "<form" not in part
    assert faults(part) == []


def test_the_page_is_small_enough_for_a_slow_phone(cast, browse):
    long = "\n".join(f"COMMENT ON TABLE points IS 'the points of everybody, for the {n}. time';" for n in range(400))
    run = deployed(cast, {"001_points": (COMMENTED["001_points"][0], long)})
    client = browse(cast.noor)

    html = client.get(path_of(run)).content.decode()
    files = [path for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', html) if not path.endswith(".woff2")]

    sizes = {path: len(b"".join(client.get(path, headers={"Accept-Encoding": "gzip"}))) for path in files}
    assert len(html.encode()) + sum(sizes.values()) < MOST_BYTES, (len(html), sizes)
    assert "Too long for this page." in html


def test_the_page_asks_the_database_a_bounded_number_of_times(cast, browse):
    run = deployed(cast, ADDED)
    client = browse(cast.noor)

    with CaptureQueriesContext(connections["default"]) as asks:
        assert client.get(path_of(run)).status_code == 200

    assert len(asks) < MOST_QUERIES, [one["sql"] for one in asks]


def test_where_nothing_is_protected_one_person_is_enough(cast, browse):
    Environment.objects.filter(pk=cast.production.pk).update(is_protected=False)
    run = deployed(cast, ADDED)

    html = html_of(browse(cast.noor), run)

    assert "you, alone" in html
    assert "It starts at once." in html
