"""The log of a step: its lines, the first error, the pages of a long one, and the whole as text."""

import pytest

from deployments.models import StepLog
from deployments.selectors.step_log import PAGE
from deployments.states import StepState
from tests.pages import made
from tests.pages.markup import faults
from tests.pages.words import words

LIVE = {"HX-Request": "true"}


@pytest.fixture
def acts(cast):
    return made.running(cast)


def way_of(step, more=""):
    return f"/runs/{step.job.run.number}/steps/{step.pk}/{more}"


def live(acts):
    return acts.job.steps.get(state=StepState.RUNNING)


def test_every_line_has_an_address(acts, cast, browse):
    shown = browse(cast.lee).get(way_of(live(acts))).content.decode()

    assert faults(shown) == []
    assert '<a id="L2" href="#L2">' in shown
    assert "20261101_points_currency: committed" in shown


def test_the_first_error_stands_above_the_log(acts, cast, browse):
    step = live(acts)
    acts.say(step, "column “currency” contains null values: failed", "rolled back after an error")
    acts.end(
        step, StepState.FAILED, summary="20261102_points_fill failed (SQLSTATE 23502).", error_code="statement-failed"
    )

    shown = words(browse(cast.lee).get(way_of(step)))

    assert shown.index("statement-failed") < shown.index("First said in line 3:") < shown.index("Download as text")
    assert '<li class="mark"><a id="L3"' in browse(cast.lee).get(way_of(step)).content.decode()


def test_a_step_that_has_said_nothing_says_so(cast, browse):
    acts = made.Executor(made.started(cast))

    assert "No output yet." in words(browse(cast.lee).get(way_of(acts.begin())))


def test_a_live_log_asks_until_its_step_is_over(acts, cast, browse):
    client, step = browse(cast.lee), live(acts)
    seen = "running-2-2"
    assert client.get(way_of(step, f"?seen={seen}"), headers=LIVE).status_code == 204

    acts.say(step, "one more line")
    news = client.get(way_of(step, f"?seen={seen}"), headers=LIVE)
    assert "one more line" in words(news)
    assert "hx-get" in news.content.decode()

    acts.end(step)
    assert "hx-get" not in client.get(way_of(step, f"?seen={seen}"), headers=LIVE).content.decode()


def test_a_long_log_has_pages_and_begins_with_the_last(acts, cast, browse):
    client, step = browse(cast.lee), live(acts)
    StepLog.objects.bulk_create(StepLog(step=step, number=number, line="x") for number in range(3, 2 * PAGE + 1))

    last, first = client.get(way_of(step)), client.get(way_of(step, "?begin=1"))

    assert f"Lines {PAGE + 1} to" in words(last)
    assert f'id="L{PAGE}"' not in last.content.decode()
    assert f'href="{way_of(step)}?begin=1"' in last.content.decode()
    assert f"Lines 1 to {PAGE} of" in words(first)
    assert f'href="{way_of(step)}?begin={PAGE + 1}"' in first.content.decode()


@pytest.mark.parametrize("begin", ["0", "nonsense", str(10**20)])
def test_a_page_that_cannot_be_is_the_last(acts, cast, browse, begin):
    assert '<a id="L2"' in browse(cast.lee).get(way_of(live(acts), f"?begin={begin}")).content.decode()


def test_the_whole_log_can_be_had_as_text(acts, cast, browse):
    answer = browse(cast.lee).get(way_of(live(acts), "log.txt"))

    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["Content-Disposition"] == 'attachment; filename="run-1-step-4-attempt-1.txt"'
    assert [line.split("\t")[::2] for line in lines] == [
        ["1", "20261101_points_currency: 1 statement, in one transaction"],
        ["2", "20261101_points_currency: committed"],
    ]


def test_a_step_belongs_to_its_run(acts, cast, browse):
    other = made.requested(cast, scripts={**made.TWO, "20261103_more": "SELECT 1;\n"})
    step = live(acts)

    for more in ("", "log.txt"):
        assert browse(cast.lee).get(f"/runs/{other.number}/steps/{step.pk}/{more}").status_code == 404
        assert browse(cast.charlie).get(way_of(step, more)).status_code == 404
