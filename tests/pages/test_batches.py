"""Batched statements on pages: what is sent before somebody decides, how far it is while it runs, what is kept."""

import pytest

from checks.batch import Batch
from deployments.postgres.batches.ledger import Standing
from deployments.postgres.batches.progress import Told
from deployments.services.progress import write_progress
from tests.pages import made
from tests.pages.markup import faults
from tests.pages.words import words as words_of

SCRIPTS = {
    "20261101_points_fill": "-- locktender: batch table=points key=id size=5000\nUPDATE points SET currency = 'EUR';\n",
    "20261102_points_note": "ALTER TABLE points ADD COLUMN note text;\n",
}
SENT = "UPDATE points SET currency = 'EUR' WHERE points.id >= $1 AND points.id <= $2"
BATCH = Batch("points", ("id",), 5000, 1, SENT)


def words(html: str) -> str:
    """Return the words of a page with every space as it is typed: figures have narrow ones."""
    return " ".join(words_of(html).split())


@pytest.fixture
def page(browse):
    """Return a function that gives a page as Lee sees it."""

    def shown(cast, address: str) -> str:
        html = browse(cast.lee).get(address).content.decode()
        assert faults(html) == []
        return html

    return shown


def told(standing: Standing, **fields) -> Told:
    given = {"size": 2000, "throttle": "", "keys_per_second": 1000.0, "rows_per_second": 500.0} | fields
    return Told(BATCH, 1, standing, **given)


@pytest.mark.parametrize("address", ["/runs/{}/", "/runs/{}/approval/"])
def test_what_is_sent_for_a_batch_stands_under_its_statement(cast, page, address):
    run = made.requested(cast, scripts=SCRIPTS)

    shown = words(page(cast, address.format(run.number)))

    assert "Sent for each batch For at most 5 000 rows of points at a time, in the order of id" in shown
    assert SENT in shown
    assert shown.count("Sent for each batch") == 1


@pytest.fixture
def running(cast, page):
    """Return a function that gives the page of a run whose batches have told this."""

    def shown(told: Told) -> str:
        acts = made.Executor(made.started(cast, scripts=SCRIPTS))
        step = acts.walk("migrate")
        last = {"migration": "20261101_points_fill", "number": 1, "of": 2, "statement": 1, "statements": 1}
        write_progress(step, last | {"sql": "UPDATE points", "batch": told.as_progress()}, fence=acts.fence)
        return page(cast, f"/runs/{acts.job.run.number}/")

    return shown


def test_rows_speed_and_time_left_are_shown_and_said_to_be_estimates(running):
    html = running(told(Standing(keys=25_000, rows=12_000, batches=9, estimate=100_000, throttled_seconds=90.0)))

    shown = words(html)
    assert "25 000 of about 100 000 rows gone through" in shown
    assert "about 25 %" in shown
    assert "12 000 changed, 9 batches" in shown
    assert "about 1:15 left" in shown
    assert "500 rows changed a second, 1 000 gone through" in shown
    assert "2 000 of at most 5 000 rows of points, by id" in shown
    assert "Not now." in shown


def test_why_it_pauses_is_told(running):
    assert "Now: a replica is 12 s behind." in words(running(told(Standing(), throttle="a replica is 12 s behind")))


def test_of_a_table_that_nobody_counted_no_percentage_is_invented(running):
    html = running(told(Standing(keys=25_000, rows=12_000, batches=9), keys_per_second=None, rows_per_second=None))

    shown = words(html)
    assert (
        "25 000 rows gone through share not known 12 000 changed, 9 batches. How many there are: Not measured" in shown
    )
    assert "left" not in shown.partition("How many there are")[2].partition("Log of")[0]
    assert "<progress" not in html.partition("rows gone through")[2].partition("Log of")[0]
