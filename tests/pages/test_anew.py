"""A run that is prepared anew after an outage: the page is where the executor is, and nothing counts as changed yet."""

import pytest

from deployments.models import Job, Step
from deployments.selectors.latency import latency_of
from deployments.selectors.rail import MIGRATE, STAGES, rail_of
from deployments.selectors.verdict_parts import Work
from deployments.states import StepState
from tests.pages import made, measured

AT_ONCE = 0.0001
"""Seconds after the first attempt at migrate began: long before the second one."""


def anew(acts: made.Executor, until: str) -> Step:
    """Take every step once more, up to this one, which goes on."""
    acts.end(acts.job.steps.get(name=MIGRATE), StepState.INTERRUPTED)
    for position, name in enumerate(STAGES[acts.kind], start=1):
        step = Step.objects.create(job=acts.job, position=position, name=name, attempt=2)
        acts.end(step, StepState.RUNNING, summary="")
        if name == until:
            return step
        acts.end(step)
    raise AssertionError(until)


def work_of(job: Job) -> Work:
    job.refresh_from_db()
    return Work(job=job, rail=rail_of(job, list(job.steps.all()), kind=job.run.kind), lost=False, blocked_by=None)


@pytest.mark.parametrize("until", ["preflight", "checks before", MIGRATE])
def test_only_one_stage_is_current_while_steps_are_taken_anew(cast, browse, until):
    acts = made.running(cast)
    anew(acts, until)

    html = browse(cast.lee).get(f"/runs/{acts.job.run.number}/").content.decode()

    assert html.count('aria-current="step"') == 1
    assert [stage.name for stage in work_of(acts.job).rail if stage.is_current] == [until]


def test_while_steps_are_taken_anew_nothing_counts_as_changed(cast):
    acts = measured.running(cast, (-2, 100.0), (AT_ONCE, 300.0))
    anew(acts, "backup")

    told = latency_of("latency.p99_ms", [work_of(acts.job)])

    assert told.spans == ()
    assert told.before == 200.0


def test_what_changes_begins_with_the_attempt_that_was_prepared(cast):
    acts = measured.running(cast, (-2, 100.0), (AT_ONCE, 300.0))
    step = anew(acts, MIGRATE)

    told = latency_of("latency.p99_ms", [work_of(acts.job)])

    assert [(span.began_at, span.ended_at) for span in told.spans] == [(step.started_at, None)]
    assert told.before == 200.0


def test_an_attempt_that_just_goes_on_belongs_to_the_change(cast):
    """Without anything taken anew in between, something may have been applied before."""
    acts = measured.running(cast, (-2, 100.0))
    first = acts.end(acts.job.steps.get(name=MIGRATE), StepState.INTERRUPTED)
    again = Step.objects.create(job=acts.job, position=first.position, name=MIGRATE, attempt=2)
    acts.end(again, StepState.RUNNING, summary="")

    told = latency_of("latency.p99_ms", [work_of(acts.job)])

    assert [(span.began_at, span.ended_at) for span in told.spans] == [(first.started_at, None)]
