"""What a run does right now, on its page: each look is another one, and nothing is said that nobody knows."""

from datetime import UTC, datetime, timedelta

import pytest

from deployments.actors import person
from deployments.models import Step
from deployments.postgres.progress import Doing
from deployments.services.decide import request_cancel
from deployments.services.pause import request_pause
from deployments.services.progress import write_progress
from deployments.states import StepState
from tests.pages import made
from tests.pages.markup import faults
from tests.pages.words import words as words_of

READING = Doing(
    pid=77, command="CREATE INDEX", relation="public.points", phase="reads the table", done=1_200_000_000,
    total=4_000_000_000, unit="bytes", is_estimate=False, size=None, wait="read", event="IO/DataFileRead", seconds=31.0,
)  # fmt: skip
COPYING = Doing(
    pid=78, command="COPY TO", relation="public.points", phase="copies rows", done=250_000, total=1_000_000,
    unit="rows", is_estimate=True, size=310_000_000, wait="client", event="Client/ClientWrite", seconds=12.0,
)  # fmt: skip
REWRITING = Doing(
    pid=79, command="", relation="", phase="", done=None, total=None, unit="", is_estimate=False, size=None,
    wait="write", event="IO/DataFileExtend", seconds=95.0,
)  # fmt: skip


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


def tell(acts: made.Executor, *doing: Doing, **told) -> made.Executor:
    """Have the step under way tell what its sessions do."""
    step = acts.job.steps.get(state=StepState.RUNNING)
    write_progress(step, step.progress | {"doing": [one.as_values() for one in doing]} | told, fence=acts.fence)
    return acts


@pytest.fixture
def html(cast, browse):
    """Return a function that gives the page of a run as Lee sees it."""

    def page(acts: made.Executor) -> str:
        shown = browse(cast.lee).get(f"/runs/{acts.job.run.number}/").content.decode()
        assert faults(shown) == []
        return shown

    return page


@pytest.fixture
def shown(html):
    """Return a function that gives the words of that page, with every space as it is typed."""
    return lambda acts: " ".join(words_of(html(acts)).split())


def test_a_phase_that_is_counted_says_how_far_and_of_what(cast, html):
    page = html(tell(made.running(cast), READING, since=ago(31)))

    told = " ".join(words_of(page).split())
    assert "Reads the table public.points 30.0 %" in told
    assert "1.2 GB of 4.0 GB CREATE INDEX" in told
    assert "Now Waits for the disk: reads IO/DataFileRead" in told
    assert '<progress value="30.0" max="100" aria-label="This phase">' in page


def test_a_statement_without_counters_draws_no_bar_and_says_why(cast, html):
    page = html(tell(made.running(cast), REWRITING, since=ago(3)))

    told = " ".join(words_of(page).split())
    assert "Waits for the disk: writes share not known The server counts nothing for this statement." in told
    assert "It took elsewhere Not measured before." in told
    assert "<progress" not in page
    assert "0 %" not in told


def test_before_anybody_looked_nothing_is_said_about_it(cast, html):
    page = html(made.running(cast))

    assert "Nobody has looked yet" in words_of(page)
    assert "<progress" not in page


def test_what_it_took_elsewhere_stands_beside_since_when_it_runs(cast, shown):
    earlier = [
        {"where": "rewards/staging/main", "seconds": 41.2, "at": "2026-11-18T03:00:00+00:00"},
        {"where": "rewards/test/main", "seconds": 3.0, "at": None},
    ]

    told = shown(tell(made.running(cast), READING, since=ago(31), earlier=earlier))

    assert "It took elsewhere 0:41 in rewards/staging/main and 1 more, at most 0:41" in told
    assert "s ago It took elsewhere" in told


def judged(monkeypatch, **takes) -> None:
    """Have the estimate of every statement of line 1 be this one, in the judgement of runs that are asked for now."""
    monkeypatch.setattr("deployments.judging._takes", lambda seen, _: {"line": seen.statement.line, **takes})


def test_the_estimate_is_a_range_and_called_one(cast, shown, monkeypatch):
    judged(monkeypatch, seconds=20.0, slow_seconds=100.0)

    told = shown(tell(made.running(cast), REWRITING, since=ago(31), line=1))

    assert "Estimated from its size 20 s to 2 min" in told
    assert "Slow, alive" not in told


def test_what_is_not_estimated_is_said_so(cast, shown, monkeypatch):
    judged(monkeypatch, seconds=None, slow_seconds=None)

    assert "Estimated from its size Not estimated." in shown(tell(made.running(cast), REWRITING, since=ago(31), line=1))


SLOW = {"since": ago(3600), "earlier": [{"where": "rewards/staging/main", "seconds": 41.0, "at": None}]}


def test_slow_but_alive_has_a_look_of_its_own(cast, shown):
    told = shown(tell(made.running(cast), REWRITING, **SLOW))

    assert "Slow, alive" in told
    assert "Statement 1 takes longer than expected. Its executor is alive. Waits for the disk: writes." in told
    assert "and was expected to take at most 41 s." in told
    assert "Last sign of life" in told


def test_of_what_nobody_measured_or_estimated_nobody_says_that_it_is_slow(cast, shown):
    assert "Slow" not in shown(tell(made.running(cast), REWRITING, since=ago(3600)))


def a_lost_one(cast) -> made.Executor:
    acts = tell(made.running(cast), REWRITING, **SLOW)
    acts.die()
    return acts


def one_that_is_cancelled(cast) -> made.Executor:
    acts = tell(made.running(cast), REWRITING, **SLOW)
    request_cancel(acts.job.run, actor=person(cast.noor))
    return acts


def one_that_is_paused(cast) -> made.Executor:
    acts = tell(made.running(cast), REWRITING, **SLOW)
    request_pause(acts.job.run, reason="The shop is busy", actor=person(cast.noor))
    return acts


LOOKS = {
    "Running": lambda cast: tell(made.running(cast), READING, since=ago(31)),
    "Slow, alive": lambda cast: tell(made.running(cast), REWRITING, **SLOW),
    "Waiting for lock": lambda cast: tell(made.waiting(cast), REWRITING, **SLOW),
    "Cancelling": one_that_is_cancelled,
    "Pausing": one_that_is_paused,
    "Lost executor": a_lost_one,
}


@pytest.mark.parametrize("look", LOOKS)
def test_each_look_says_its_own_word_in_the_tab_and_none_of_the_others(cast, html, look):
    tab = html(LOOKS[look](cast)).partition("data-tab-title=")[2].partition("\n")[0].lower()

    assert [word for word in LOOKS if word.lower() in tab] == [look]


def test_of_a_lost_executor_nothing_counts_on(cast, shown):
    told = shown(a_lost_one(cast))

    assert "It was seen last after 95 s." in told
    assert "3600 s ago" not in told


def test_what_a_run_lets_end_before_it_begins_is_listed(cast, shown):
    acts = made.Executor(made.started(cast))
    texts = ["pid 7 (report, <b>nightly</b>, active) for 660 s", "a dump by pg_dump, pid 8"]
    acts.begin(collisions=texts, waited_seconds=14, of_seconds=600)

    told = shown(acts)

    assert "Waiting for others" in told
    assert "Waits before it begins: 2 things are in the way." in told
    assert "gives up after another 586 s" in told
    assert all(text in told for text in texts)


def test_a_dump_shows_each_of_its_workers_in_a_place_that_stays(cast, html):
    acts = made.Executor(made.started(cast))
    acts.walk("backup")
    dumping = {"tables": 41, "tables_done": 3, "table": "public.points", "bytes": 31_200_000, "jobs": 2}

    page = html(tell(acts, COPYING, **dumping))

    told = " ".join(words_of(page).split())
    assert "3 of 41 tables" in told
    assert "Copies rows public.points about 25.0 %" in told
    assert "250 000 of about 1 000 000 rows, 310 MB COPY TO" in told
    assert told.count("Between two tables") == 1


RESTORING = {"phase": "rows", "done": 300_000_000, "total": 1_200_000_000, "table": "public.points", "tables": 41,
             "seconds": 20.0, "phase_left_seconds": 60, "left_seconds": None}  # fmt: skip


def test_a_restore_says_how_far_it_is_and_what_nobody_knows(cast, html):
    acts = made.Executor(made.started(cast))
    acts.walk("backup")
    step = acts.job.steps.get(state=StepState.RUNNING)
    for changes, *texts in (
        ({}, "Restores rows public.points 25.0 %", "300 MB of 1.2 GB", "60 s more at this pace, the rest not known"),
        ({"left_seconds": 100}, "about 2 min left, as it took before"),
        (
            {"phase": "indexes", "done": 0, "total": None, "phase_left_seconds": None},
            "Builds indexes and constraints",
            "share not known",
            "not counted time left not known",
        ),
    ):
        progress = {"restoring": RESTORING | changes, "doing": [COPYING.as_values()], "jobs": 2}
        write_progress(step, progress, fence=acts.fence)

        told = " ".join(words_of(html(acts)).split())

        assert [text for text in texts if text not in told] == [], told
        assert "Copies rows public.points" in told
        assert told.count("Between two tables") == 1


def test_of_a_step_that_is_over_nothing_is_said_to_be_done_now(cast, html):
    acts = tell(made.running(cast), READING, since=ago(31))
    made.stop(acts, StepState.FAILED, code="statement-failed", text="It failed.")

    told = words_of(html(acts))

    assert Step.objects.get(job=acts.job, name="migrate").progress["doing"]
    assert "Reads the table" not in told
    assert "This statement began" not in told
