"""What a migration costs the application, on the page of its run: beside the limits, and never invented."""

import pytest

from deployments.postgres.guard import Bill, InTheWay
from deployments.services.progress import write_waits
from deployments.states import JobState, StepState
from tests.pages import billed, made
from tests.pages.markup import faults
from tests.pages.words import words


@pytest.fixture
def shown(cast, browse):
    """Return a function that gives the page of a run whose guard told this bill."""

    def page(acts, bill: Bill) -> str:
        write_waits(acts.job, "migrate", bill.as_progress(), fence=acts.fence)
        html = browse(cast.lee).get(f"/runs/{acts.job.run.number}/").content.decode()
        assert faults(html) == []
        return html

    return page


def test_nobody_and_nothing_are_said_only_when_the_guard_looked(cast, browse, shown):
    acts = made.running(cast)
    before = words(browse(cast.lee).get(f"/runs/{acts.job.run.number}/").content.decode())
    assert "Nobody." not in before
    assert "In our way now" not in before

    told = words(shown(acts, Bill()))

    assert "Wait for us now Nobody. Over the limits the guard cancels." in told
    assert "In our way now Nothing." in told
    assert "Oldest that waited, worst so far 0.00 s at most 1.0 s" in told
    assert "All that waited, in sum 0.00 s at most 10.0 s" in told


def test_who_waits_and_who_is_in_the_way_stand_there_with_the_figures(cast, shown):
    blockers = [
        InTheWay(pid=7, user="<b>report</b>", application="", state="idle in transaction", seconds=60.0),
        InTheWay(pid=8, user="app", application="shop", state="active", seconds=1.0),
        InTheWay(pid=9, user="app", application="shop", state="active", seconds=1.0),
    ]

    html = shown(made.running(cast), Bill(waiting=1, oldest_seconds=0.4, total_seconds=1.5, in_our_way=blockers))

    told = words(html)
    assert "Wait for us now 1 session." in told
    assert "pid 8 (app, shop) and 1 more" in told
    assert "<b>report</b>" not in html
    assert "worst so far 0.40 s at most 1.0 s" in told
    assert (
        'aria-label="0.40 s, at most 1.0 s"><rect class="track" width="100" height="8"/><rect class="used" width="40"'
        in html
    )


def test_what_a_stopped_migration_cost_stays_and_who_waits_now_does_not(cast, shown, browse):
    acts = made.running(cast)
    shown(acts, Bill(waiting=3, oldest_seconds=1.0004, total_seconds=2.5))
    made.stop(acts, StepState.FAILED, code="over-budget", text="It was cancelled.")
    run = acts.close(JobState.FAILED, error_code="over-budget", error="It was cancelled.", applied=1)

    told = words(browse(cast.lee).get(f"/runs/{run.number}/").content.decode())

    assert "worst so far 1.00 s at most 1.0 s, over" in told
    assert "Wait for us now" not in told


def test_a_run_over_budget_says_first_that_nothing_changed_and_shows_its_bill(cast, browse):
    run = billed.over_budget(cast)

    html = browse(cast.lee).get(f"/runs/{run.number}/").content.decode()

    told = words(html)
    assert faults(html) == []
    say = told[told.index("Nothing changed.") :]
    assert say.startswith(
        "Nothing changed. The guard stopped it, because the application waited too long for it. Bill: 14 sessions × 0.9"  # noqa: RUF001
    )
    assert "Bill 14 sessions × 0.9 s, 9.2 s in all" in told  # noqa: RUF001
    assert "Stopped, because a session waited 0.9 s, at most 0.5 s" in told
    assert "Replicas fell behind by" in told
    assert "Free disk of the server, at least not told by the server" in told
    assert "SELECT balance, tier FROM points WHERE member = ? AND note = ?" in told
    assert "public.points" in html.replace("<wbr>", "")
    assert "reporting_reader" in html.replace("<wbr>", "")
    assert "4711" not in html
    assert "Ann" not in told


def test_a_migration_that_nobody_waited_for_has_no_bill_in_its_verdict(cast, browse):
    acts = made.running(cast)
    step = acts.job.steps.get(name="migrate")
    nobody = {"bill": Bill().as_evidence()}
    acts.end(step, StepState.FAILED, summary="It failed.", error_code="statement-failed", evidence=nobody)
    run = acts.close(JobState.FAILED, error_code="statement-failed", error="It failed.", applied=1)

    told = words(browse(cast.lee).get(f"/runs/{run.number}/").content.decode())

    assert "The database refused a statement. It failed." in told
