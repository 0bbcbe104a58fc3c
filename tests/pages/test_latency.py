"""The latency of the application on the page of a run: what is told, what is drawn, and when there is no panel."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deployments.models import HealthCheck
from deployments.states import JobState
from tests.deployments.cast import Cast
from tests.pages import made, measured
from tests.pages.markup import faults
from tests.pages.words import words

BEFORE = [(-30.0, 200.0), (-25.0, 212.0), (-20.0, 240.0)]
LIVE = {"HX-Request": "true"}
NB = "\u00a0"


@pytest.fixture
def see(cast: Cast, browse):
    """Return a function that opens the page of a run as Lee."""

    def shown(run, query="", **headers):
        return browse(cast.lee).get(f"/runs/{run.number}/{query}", headers=headers)

    return shown


def panel(answer) -> str:
    html = answer.content.decode()
    assert faults(html) == []
    found = re.search(r'<section class="panel" id="latency">.*?</section>', html, re.DOTALL)
    return found[0] if found else ""


def told(answer) -> str:
    return words(panel(answer)).replace(NB, " ")


def label(answer) -> str:
    return re.search(r'role="img" aria-label="(.*?)"', panel(answer))[1].replace(NB, " ")


def test_now_stands_beside_the_median_of_before_the_change(cast, see):
    run = measured.running(cast, *BEFORE, (5, 260.0), (10, 214.0)).job.run

    answer = see(run)

    assert "Application latency, p99_ms 214 ms now · before the change 212 ms" in told(answer)
    assert "worst 260 ms" in told(answer)
    assert "as the application reports latency.p99_ms" in told(answer)
    said = label(answer)
    assert said.startswith("p99_ms of the application from ")
    for part in ("5 readings", "Before the change 212 ms.", "Worst 260 ms at ", "Now 214 ms.", "Migrate began "):
        assert part in said
    assert "Not measured" not in said


def test_figures_stand_by_step_in_a_table(cast, see):
    acts = measured.running(cast, (1, 260.0), (2, None), (3, 240.0))
    measured.keep(acts.job, [(4, None)], is_healthy=False)

    assert "migrate 250 ms 260 ms 4 2 1" in told(see(acts.job.run))


@pytest.mark.parametrize("check", [None, {"url": "http://shop.example/health"}])
def test_without_a_path_or_a_check_there_is_no_panel(cast, see, check):
    if check:
        HealthCheck.objects.create(environment=cast.production, **check)

    for make in (made.requested, lambda cast: made.running(cast, scripts={"009_more": "SELECT 1;\n"}).job.run):
        answer = see(make(cast))
        assert panel(answer) == ""
        assert "latency" not in answer.content.decode().lower()


def test_a_run_that_nobody_has_begun_has_no_panel_yet(cast, see):
    measured.reporting(cast)

    assert panel(see(made.started(cast))) == ""


def test_no_reading_is_said_and_is_not_zero(cast, see):
    answer = see(measured.running(cast).job.run)

    assert "p99_ms no reading yet" in told(answer)
    assert "ms now" not in told(answer)
    assert "0 ms" not in told(answer)
    assert label(answer) == "p99_ms of the application: no reading."
    assert 'class="p"' not in panel(answer)


def test_a_gap_is_drawn_as_a_gap_with_a_sign_of_its_own(cast, see):
    answer = see(measured.running(cast, *BEFORE, (-15, None), (-10, None), (-5, 212.0), (0.5, 212.0)).job.run)

    line = re.search(r'class="p" d="(.*?)"', panel(answer))[1]
    assert line.count("M") == 2
    assert panel(answer).count('class="unknown bar"') == 1
    assert "not measured, 2 of 7" in told(answer)
    assert "Not measured in 2 of 7." in label(answer)
    assert "114" not in line  # nothing lies on the zero line


def test_when_the_last_answer_carries_none_now_is_not_measured(cast, see):
    answer = see(measured.running(cast, *BEFORE, (5, None)).job.run)

    assert "Not measured now · before the change 212 ms" in told(answer)
    assert "Now not measured." in label(answer)
    assert 'class="last"' not in panel(answer)


def test_before_the_change_is_not_measured_if_nothing_was_told_then(cast, see):
    answer = see(measured.running(cast, (-5, None), (5, 214.0)).job.run)

    assert "214 ms now · before the change not measured" in told(answer)
    assert 'class="level"' not in panel(answer)


def test_a_run_that_is_over_shows_the_whole_course_and_speaks_of_the_last(cast, see):
    acts = measured.running(cast, *BEFORE, (5, 260.0), (10, 214.0))
    acts.end(acts.job.steps.get(name="migrate"))
    run = acts.close(JobState.SUCCEEDED, applied=2)

    answer = see(run)

    assert "last 214 ms · before the change 212 ms" in told(answer)
    assert " now" not in told(answer)
    assert "Last 214 ms." in label(answer)
    assert "It ended " in label(answer)
    assert panel(answer).count('class="spanedge"') == 2


def test_a_silent_executor_is_not_called_now(cast, see):
    acts = measured.running(cast, *BEFORE)
    acts.die()

    assert "last 240 ms · before the change" in told(see(acts.job.run))


def test_every_reading_is_news_and_nothing_else_is(cast, see):
    acts = measured.running(cast, *BEFORE)
    seen = re.search(r"seen=(\w+)", see(acts.job.run).content.decode())[1]
    assert see(acts.job.run, f"?seen={seen}", **LIVE).status_code == 204

    measured.keep(acts.job, [(5, 333.0)])

    news = see(acts.job.run, f"?seen={seen}", **LIVE)
    assert news.status_code == 200
    assert "333 ms now" in told(news)


def test_latency_changes_nothing_about_the_verdict(cast, see):
    acts = measured.running(cast, *BEFORE)
    before = re.search(r'<section class="verdict.*?</section>', see(acts.job.run).content.decode(), re.DOTALL)[0]

    measured.keep(acts.job, [(5, 90_000.0), (6, None)], is_healthy=False)

    after = re.search(r'<section class="verdict.*?</section>', see(acts.job.run).content.decode(), re.DOTALL)[0]
    assert re.sub(r"\d+\s*s ago", "", words(after)) == re.sub(r"\d+\s*s ago", "", words(before))


def test_ten_thousand_readings_are_a_drawing_of_a_bounded_size(cast, browse):
    run = measured.running(cast, *((second * 5.0 - 100, 200.0 + second % 50) for second in range(10_000))).job.run
    client = browse(cast.lee)

    with CaptureQueriesContext(connection) as asked:
        answer = client.get(f"/runs/{run.number}/")

    assert len(asked) <= 36
    assert len(panel(answer)) < 12_000
    assert re.search(r'class="p" d="(.*?)"', panel(answer))[1].count("L") == 239
    assert "not measured, 0 of 10 000" in told(answer)


def test_a_name_of_somebody_elses_is_text(cast, see):
    measured.reporting(cast, path="a.<b>onx=1")
    acts = made.running(cast)
    measured.keep(acts.job, BEFORE)

    answer = see(acts.job.run)

    assert "Application latency, <b>onx=1" in told(answer)
    assert "<b>onx" not in panel(answer)
