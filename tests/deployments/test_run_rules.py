"""What the database refuses about runs, jobs and steps, whoever asks."""

import uuid

import pytest
from django.db import connections
from django.db.models.functions import Now

from deployments import states
from deployments.models import Database, Environment, Job, MigrationRun, Policy, Step
from tests.deployments.cast import Cast, step
from tests.deployments.refusals import not_permitted, refused_by

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


def walk(row, moves: states.Moves, final: frozenset[str], to: str, **fields) -> None:
    for state in reach(moves, row.state, to)[1:]:
        finished = Now() if state in final else None
        type(row).objects.filter(pk=row.pk).update(state=state, finished_at=finished, **fields)


@pytest.mark.parametrize(("before", "after"), ALL_RUN_MOVES)
def test_a_run_moves_along_the_table_and_no_other_way(cast: Cast, before, after):
    run = cast.run()
    walk(run, states.RUN_MOVES, states.RUN_FINAL, before)
    change = {"state": after, "finished_at": Now() if after in states.RUN_FINAL else None}

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
    held = {"fence": 7, "lease_until": Now()}
    walk(job, states.JOB_MOVES, states.JOB_FINAL, before, **held)
    change = {"state": after, "finished_at": Now() if after in states.JOB_FINAL else None, **held}

    if (before, after) in legal(states.JOB_MOVES):
        assert Job.objects.filter(pk=job.pk).update(**change) == 1
    else:
        with refused_by("job_moves_legally"):
            Job.objects.filter(pk=job.pk).update(**change)
        job.refresh_from_db()
        assert job.state == before


@pytest.mark.parametrize(("before", "after"), ALL_STEP_MOVES)
def test_a_step_moves_along_the_table_and_no_other_way(cast: Cast, before, after):
    attempt = step(cast.job())
    walk(attempt, states.STEP_MOVES, states.STEP_FINAL, before)
    change = {"state": after, "finished_at": Now() if after in states.STEP_FINAL else None}

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
        cast.job(state="running", fence=1, lease_until=Now())
    with refused_by("step_begins"):
        step(cast.job(), state="running")
    assert not MigrationRun.objects.filter(state="running").exists()


@pytest.mark.parametrize("state", ["Running", "done", ""])
def test_an_unknown_state_is_refused(cast: Cast, state):
    with refused_by("migrationrun_moves_legally"):
        MigrationRun.objects.filter(pk=cast.run().pk).update(state=state)


def test_finished_at_is_set_exactly_when_the_state_is_final(cast: Cast):
    run, job = cast.run(), cast.job()
    attempt = step(job)

    with refused_by("run_finished_at_exactly_when_final"):
        MigrationRun.objects.filter(pk=run.pk).update(state="cancelled")
    with refused_by("run_finished_at_exactly_when_final"):
        MigrationRun.objects.filter(pk=run.pk).update(finished_at=Now())
    with refused_by("job_finished_at_exactly_when_final"):
        Job.objects.filter(pk=job.pk).update(state="cancelled")
    with refused_by("job_finished_at_exactly_when_final"):
        Job.objects.filter(pk=job.pk).update(finished_at=Now())
    with refused_by("step_finished_at_exactly_when_final"):
        Step.objects.filter(pk=attempt.pk).update(state="skipped")
    with refused_by("step_finished_at_exactly_when_final"):
        Step.objects.filter(pk=attempt.pk).update(finished_at=Now())


@pytest.mark.parametrize("state", ["running", "needs_attention"])
def test_a_database_has_one_writer_at_a_time(cast: Cast, state):
    first, second = cast.job(), cast.job()
    held = {"fence": 1, "lease_until": Now()}
    walk(first, states.JOB_MOVES, states.JOB_FINAL, state, **held)

    with refused_by("job_one_writer_per_database"):
        Job.objects.filter(pk=second.pk).update(state="running", **held)


def test_a_rehearsal_runs_beside_a_writer(cast: Cast):
    writer, rehearsal = cast.job(), cast.job(writes=False)
    held = {"state": "running", "fence": 1, "lease_until": Now()}

    Job.objects.filter(pk=writer.pk).update(**held)
    Job.objects.filter(pk=rehearsal.pk).update(**held)

    assert Job.objects.filter(state="running").count() == 2


def test_a_running_job_holds_a_fence_and_a_lease(cast: Cast):
    with refused_by("job_running_has_fence_and_lease"):
        Job.objects.filter(pk=cast.job().pk).update(state="running")


def test_a_fence_never_falls(cast: Cast):
    job = cast.job()
    Job.objects.filter(pk=job.pk).update(fence=9)

    with refused_by("job_fence_rises"):
        Job.objects.filter(pk=job.pk).update(fence=8)
    with refused_by("job_fence_rises"):
        Job.objects.filter(pk=job.pk).update(fence=None)


@pytest.mark.parametrize(
    "change",
    [
        {"digest": "0" * 64},
        {"plan_text": "{}"},
        {"reason": "Another"},
        {"kind": "restore"},
        {"number": 1_000},
        {"request_key": uuid.UUID(int=1)},
        {"change_reference": "REW-1"},
    ],
)
def test_what_a_run_will_do_never_changes(cast: Cast, change):
    with refused_by("migrationrun_frozen"):
        MigrationRun.objects.filter(pk=cast.run().pk).update(**change)


def test_a_digest_is_the_hash_of_its_plan(cast: Cast):
    with refused_by("run_digest_of_its_plan"):
        cast.run(digest="0" * 64)


def test_a_second_open_run_of_the_same_plan_is_refused(cast: Cast):
    run = cast.run()
    same = {"plan_text": run.plan_text, "digest": run.digest}

    with refused_by("run_open_once_per_plan"):
        cast.run(**same)

    MigrationRun.objects.filter(pk=run.pk).update(state="cancelled", finished_at=Now())
    assert cast.run(**same).state == "awaiting"


def test_a_double_submit_dies_on_its_request_key(cast: Cast):
    with refused_by("deployments_migrationrun_request_key_key"):
        cast.run(request_key=cast.run().request_key)


def test_runs_are_numbered_without_gaps(cast: Cast):
    first = cast.run()
    with refused_by("run_digest_of_its_plan"):
        cast.run(digest="0" * 64)
    second = cast.run(number=77)

    assert (first.number, second.number) == (1, 2)


def test_a_rollback_names_the_run_it_reverts(cast: Cast):
    with refused_by("run_rollback_names_what_it_reverts"):
        cast.run(kind="rollback")
    assert cast.run(kind="rollback", reverts=cast.run()).reverts.number == 1


def test_a_run_belongs_to_one_environment_with_its_policy_and_what_it_reverts(cast: Cast):
    elsewhere = cast.run(environment=cast.staging)

    with refused_by("run_policy_of_its_environment"):
        cast.run(policy=Policy.objects.get(environment=cast.staging))
    with refused_by("run_reverts_in_its_environment"):
        cast.run(kind="rollback", reverts=elsewhere)
    with refused_by("run_supersedes_in_its_environment"):
        cast.run(supersedes=elsewhere)
    with refused_by("job_fits_run"):
        cast.job(run=elsewhere)


@pytest.mark.parametrize(("field", "constraint"), [("kind", "run_kind_known"), ("reason", "run_reason_present")])
def test_a_run_has_a_known_kind_and_a_reason(cast: Cast, field, constraint):
    with refused_by(constraint):
        cast.run(**{field: ""})


def test_a_cancel_request_names_its_person(cast: Cast):
    with refused_by("run_cancel_request_names_its_person"):
        MigrationRun.objects.filter(pk=cast.run().pk).update(cancel_requested_at=Now())


def test_a_run_has_one_job_per_database_and_place(cast: Cast):
    run = cast.run()
    cast.job(run)
    other = Database.objects.create(environment=cast.production, name="second", position=2, connection="env:SECOND")

    with refused_by("job_once_per_database"):
        cast.job(run)
    with refused_by("job_position_once"):
        cast.job(run, database=other, position=1)


def test_a_job_runs_one_step_at_a_time_and_each_attempt_is_a_row(cast: Cast):
    job = cast.job()
    first, second = step(job), step(job)
    Step.objects.filter(pk=first.pk).update(state="running")

    with refused_by("step_one_running_per_job"):
        Step.objects.filter(pk=second.pk).update(state="running")
    with refused_by("step_attempt_once"):
        step(job, position=1)


@pytest.mark.parametrize("using", ["default", "owner"])
def test_history_is_never_deleted(cast: Cast, using):
    attempt = step(cast.job())

    for model, table in ((Step, "step"), (Job, "job"), (MigrationRun, "migrationrun")):
        row = model.objects.using(using).filter(pk=attempt.pk)
        expectation = not_permitted() if using == "default" else refused_by(f"{table}_kept", using="owner")
        with expectation:
            row._raw_delete(using)
    assert Step.objects.filter(pk=attempt.pk).exists()


def test_two_rows_cannot_stand_for_the_same_server_database(cast: Cast):
    identity = {"system_identifier": "7300000000000000001", "database_name": "rewards"}
    Database.objects.filter(pk=cast.rewards_prod.pk).update(**identity)

    with refused_by("database_identity_once"):
        Database.objects.create(environment=cast.staging, name="copy", connection="env:X", **identity)
    with refused_by("database_identity_whole_or_absent"):
        Database.objects.create(environment=cast.staging, name="half", connection="env:X", database_name="rewards")


def test_a_connection_is_a_reference_and_never_the_secret(cast: Cast):
    with refused_by("database_connection_is_a_reference"):
        Database.objects.create(environment=cast.staging, name="s", connection="postgresql://u:secret@h/d")


def test_environments_of_an_application_have_their_own_name_and_rank(cast: Cast):
    with refused_by("environment_slug_once_per_application"):
        Environment.objects.create(application=cast.rewards, slug="staging", name="Again", rank=9)
    with refused_by("environment_rank_once_per_application"):
        Environment.objects.create(application=cast.rewards, slug="dev", name="Dev", rank=1)
