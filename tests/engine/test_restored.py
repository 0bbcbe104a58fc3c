"""Whether a way back has restored the schema: compared with what was noted before the run, and said with names."""

from types import SimpleNamespace

import pytest

from deployments.models import Job, MigrationRun, Step, StepLog
from deployments.pipelines import restored
from deployments.pipelines.restored import compare_with_before, note_schema
from deployments.pipelines.steps.checks import AFTER, BEFORE
from deployments.postgres.errors import PrivilegeMissing
from deployments.postgres.stopped import CancelledOnRequest
from tests.engine.conftest import Rewards
from tests.engine.stages import Stage

INDEX = "CREATE INDEX by_points ON ledger (points)"


@pytest.fixture
def ledger(rewards) -> Rewards:
    with rewards.connect() as opened:
        opened.execute(f"CREATE TABLE ledger (id int PRIMARY KEY, points int); {INDEX}")
    return rewards


def back(rewards: Rewards, deployed: Job) -> Job:
    job = rewards.execute(rewards.start(rewards.plan_rollback(deployed.run)))
    assert job.state == "succeeded", rewards.output
    return job


def after(job: Job) -> Step:
    return job.steps.get(name=AFTER)


def test_a_way_back_that_restores_everything_says_so(ledger):
    ledger.write("001_coupons", "CREATE TABLE coupons (id int)", "DROP TABLE coupons")
    undo = f"ALTER TABLE ledger DROP note; {INDEX}"
    ledger.write("002_points", "DROP INDEX by_points; ALTER TABLE ledger ADD note text", undo)

    told = after(back(ledger, ledger.deploy()))

    assert told.summary.startswith("Schema equal to before run #1: yes.")
    assert (told.state, told.evidence["schema"]["verdict"]) == ("succeeded", "passed")


def test_an_index_that_the_rollback_script_forgets_is_named_and_the_run_goes_on(ledger):
    ledger.write("001_points", "DROP INDEX by_points; ALTER TABLE ledger ADD note text", "ALTER TABLE ledger DROP note")

    job = back(ledger, ledger.deploy())

    told = after(job)
    sentence = "Schema equal to before run #1: no. index by_points of table public.ledger is missing."
    assert told.summary.startswith(sentence)
    assert StepLog.objects.filter(step=told, line=sentence).exists()
    assert told.evidence["schema"]["verdict"] == "failed"
    assert job.steps.filter(name="health check").exists()


def test_a_table_that_nobody_touched_before_is_compared_too(rewards):
    """Nothing is there to be looked at before it is made: the schema is noted all the same."""
    made = "CREATE TABLE coupons (id int); CREATE TYPE mood AS ENUM ('good')"
    rewards.write("001_coupons", made, "DROP TABLE coupons")
    deployed = rewards.deploy()
    assert deployed.steps.get(name=BEFORE).state == "skipped"

    told = after(back(rewards, deployed))

    assert told.state == "succeeded"
    assert told.summary.startswith("Schema equal to before run #1: no. type public.mood is left over.")


def test_what_somebody_else_changed_between_the_runs_is_told_apart(ledger):
    ledger.write("001_note", "ALTER TABLE ledger ADD note text", "ALTER TABLE ledger DROP note")
    deployed = ledger.deploy()
    with ledger.connect() as somebody:
        somebody.execute("CREATE TABLE theirs (id int)")

    told = after(back(ledger, deployed))

    assert told.summary.startswith(
        "Schema equal to before run #1: no. "
        "Changed between the two runs, by something else: table public.theirs is left over."
    )
    assert told.evidence["schema"]["verdict"] == "noted"


def test_without_anything_noted_before_it_is_not_measured(rewards):
    stage = Stage(rewards, {"kind": "rollback", "migrations": [], "touches": []})
    other = MigrationRun(pk=4711, number=7)
    ctx = stage_of(stage, SimpleNamespace(reverts=other))

    result = compare_with_before(ctx, note_schema(stage), before=BEFORE, after=AFTER)

    assert result.sentence == "Schema equal to before run #7: not measured. It was not noted before that run."
    assert (result.verdict, result.differences) == ("not measured", ())


def test_a_person_can_stop_the_reading_of_the_schema(rewards, monkeypatch):
    stage = Stage(rewards, {"kind": "deploy", "migrations": [], "touches": []})

    def slow(opened, *_, **__):
        stage.control.asked.set()
        opened.execute("SELECT pg_sleep(30)")

    monkeypatch.setattr(restored, "observe", slow)

    with pytest.raises(CancelledOnRequest):
        note_schema(stage)

    assert stage.lines == []


def test_a_schema_that_may_not_be_read_holds_up_nothing(rewards, monkeypatch):
    stage = Stage(rewards, {"kind": "deploy", "migrations": [], "touches": []})

    def refused(*_, **__):
        raise PrivilegeMissing(target="staging", what="read it", remedy="GRANT it")

    monkeypatch.setattr(restored, "observe", refused)

    assert note_schema(stage) == {"reason": f"It could not be read ({PrivilegeMissing.code})."}
    assert len(stage.lines) == 1


def stage_of(stage: Stage, run: SimpleNamespace) -> SimpleNamespace:
    return SimpleNamespace(
        job=SimpleNamespace(run=run, database_id=stage.rewards.staging.pk), log=stage.log, plan=stage.plan
    )
