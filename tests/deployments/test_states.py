"""The state of a run, as its jobs say: a pure function."""

import pytest

from deployments.states import JobState, Outcome, RunState, state_of_run

DONE, MOVED = Outcome(JobState.SUCCEEDED, applied=3), Outcome(JobState.CANCELLED, plan_moved=True)
FAILED, CANCELLED = Outcome(JobState.FAILED), Outcome(JobState.CANCELLED)
QUEUED, RUNNING, DOUBT = Outcome(JobState.QUEUED), Outcome(JobState.RUNNING), Outcome(JobState.NEEDS_ATTENTION)


@pytest.mark.parametrize(
    ("jobs", "state"),
    [
        ([QUEUED], RunState.QUEUED),
        ([RUNNING, QUEUED], RunState.RUNNING),
        ([DONE, QUEUED], RunState.RUNNING),
        ([DONE, DOUBT], RunState.NEEDS_ATTENTION),
        ([DONE, DONE], RunState.SUCCEEDED),
        ([DONE, FAILED], RunState.FAILED),
        ([FAILED, MOVED], RunState.FAILED),
        ([CANCELLED], RunState.CANCELLED),
        ([MOVED], RunState.SUPERSEDED),
        ([MOVED, CANCELLED], RunState.SUPERSEDED),
        # Something was executed: nobody may read "nothing was".
        ([DONE, MOVED], RunState.CANCELLED),
        ([Outcome(JobState.SUCCEEDED), MOVED], RunState.CANCELLED),
        ([Outcome(JobState.CANCELLED, applied=1, plan_moved=True)], RunState.CANCELLED),
    ],
)
def test_a_run_is_what_its_jobs_say(jobs, state):
    assert state_of_run(jobs) == state
