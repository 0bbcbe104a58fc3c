"""Runs, jobs and steps move along the tables of `states.py` and no other way, whoever asks."""

import pytest
from django.db import connections

from deployments import states
from deployments.models import Job, MigrationRun, Step
from tests.deployments.cast import Cast, begin, claimed, step
from tests.deployments.refusals import refused_by

ALL_RUN_MOVES = [(a, b) for a in states.RunState.values for b in states.RunState.values if a != b]
ALL_JOB_MOVES = [(a, b) for a in states.JobState.values for b in states.JobState.values if a != b]
ALL_STEP_MOVES = [(a, b) for a in states.StepState.values for b in states.StepState.values if a != b]


def legal(moves: states.Moves) -> set[tuple[str, str]]:
    return {(str(before), str(after)) for before, afters in moves.items() for after in afters}


@pytest.mark.parametrize(
    ("table", "moves"),
    [("migrationrun", states.RUN_MOVES), ("job", states.JOB_MOVES), ("step", states.STEP_MOVES)],
)
def test_the_trigger_knows_exactly_the_moves_of_states_py(database, table, moves):
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = %s", [f"{table}_moves_legally"])
        definition = cursor.fetchone()[0]

    arguments = definition[definition.index("legal_move(") :].split("'")[1::2]
    assert {tuple(argument.split(">")) for argument in arguments} == legal(moves)


@pytest.mark.parametrize(("table", "first"), [("migrationrun", "awaiting"), ("job", "queued"), ("step", "pending")])
def test_the_trigger_knows_where_each_kind_begins(database, table, first):
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = %s", [f"{table}_begins"])
        assert cursor.fetchone()[0].endswith(f"locktender_first_state('{first}')")


def reach(moves: states.Moves, begin: str, state: str) -> list[str]:
    """Return a legal way from `begin` to `state`."""
    ways = {begin: [begin]}
    queue = [begin]
    for here in queue:
        for after in sorted(moves.get(here, ())):
            if after not in ways:
                ways[after] = [*ways[here], after]
                queue.append(after)
    return ways[state]


def walk(row, moves: states.Moves, to: str) -> None:
    for state in reach(moves, row.state, to)[1:]:
        type(row).objects.filter(pk=row.pk).update(state=state, **claim_for(row, state))


def claim_for(row, state: str) -> dict[str, object]:
    return claimed() if isinstance(row, Job) and state == "running" else {}


@pytest.mark.parametrize(("before", "after"), ALL_RUN_MOVES)
def test_a_run_moves_along_the_table_and_no_other_way(cast: Cast, before, after):
    run = cast.run()
    walk(run, states.RUN_MOVES, before)
    change = {"state": after}

    if (before, after) in legal(states.RUN_MOVES):
        assert MigrationRun.objects.filter(pk=run.pk).update(**change) == 1
    else:
        with refused_by("migrationrun_moves_legally"):
            MigrationRun.objects.filter(pk=run.pk).update(**change)
        run.refresh_from_db()
        assert run.state == before


@pytest.mark.parametrize(("before", "after"), ALL_JOB_MOVES)
def test_a_job_moves_along_the_table_and_no_other_way(cast: Cast, before, after):
    job = cast.job()
    walk(job, states.JOB_MOVES, before)
    change = {"state": after, **claim_for(job, after)}

    if (before, after) in legal(states.JOB_MOVES):
        assert Job.objects.filter(pk=job.pk).update(**change) == 1
    else:
        with refused_by("job_moves_legally"):
            Job.objects.filter(pk=job.pk).update(**change)
        job.refresh_from_db()
        assert job.state == before


@pytest.mark.parametrize(("before", "after"), ALL_STEP_MOVES)
def test_a_step_moves_along_the_table_and_no_other_way(cast: Cast, before, after):
    attempt = step(begin(cast.job()))
    walk(attempt, states.STEP_MOVES, before)
    change = {"state": after}

    if (before, after) in legal(states.STEP_MOVES):
        assert Step.objects.filter(pk=attempt.pk).update(**change) == 1
    else:
        with refused_by("step_moves_legally"):
            Step.objects.filter(pk=attempt.pk).update(**change)
        attempt.refresh_from_db()
        assert attempt.state == before


def test_nothing_begins_in_a_state_other_than_the_first(cast: Cast):
    with refused_by("migrationrun_begins"):
        cast.run(state="queued")
    with refused_by("job_begins"):
        cast.job(state="running", **claimed())
    with refused_by("step_begins"):
        step(begin(cast.job()), state="succeeded")


@pytest.mark.parametrize("state", ["Running", "done", ""])
def test_an_unknown_state_is_refused(cast: Cast, state):
    with refused_by("migrationrun_moves_legally"):
        MigrationRun.objects.filter(pk=cast.run().pk).update(state=state)
