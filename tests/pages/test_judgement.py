"""What a plan is judged by: the schema that was read, waivers that somebody accepts, contracts that wait their time."""

from dataclasses import replace
from uuid import uuid4

import pytest

from checks.context import World
from checks.model import EMPTY, Size
from checks.model.replay import replay_script
from checks.model.saved import to_data
from checks.phases.errors import ExpandNotDeployed, ExpandNotSoaked, OldApplicationRuns
from checks.statements import parse
from deployments.actors import person
from deployments.judging import gravest, judge_scripts
from deployments.models import Environment, MigrationRun, Policy
from deployments.planning import PlanBlocked
from deployments.selectors.runs import unmet_of
from deployments.services.plan import request_rollback
from deployments.states import JobState
from tests.pages import story

LEDGER = "CREATE TABLE ledger (id int PRIMARY KEY, note text)"
WIDE = "ALTER TABLE ledger ALTER COLUMN id TYPE bigint"
INDEX = "CREATE INDEX ledger_note_idx ON ledger (note)"
IGNORED = f"-- locktender: ignore index-not-concurrent: the table has forty rows\n{INDEX}"
EXPAND = "ALTER TABLE ledger ADD COLUMN remark text"
CONTRACT = "-- locktender: contracts 002_expand after 2.6\nALTER TABLE ledger DROP COLUMN note"


def planned(cast, scripts, *, size_bytes=8192):
    """Return the run that dana asks for in production, where all but the last script are applied."""
    story.release(cast, scripts)
    story.read(cast.rewards_prod, dict(list(scripts.items())[:-1]), model=model_of(scripts, size_bytes))
    return story.ask(cast.production, cast.dana)


def model_of(scripts, size_bytes):
    schema = EMPTY
    for text in list(scripts.values())[:-1]:
        schema = replay_script(schema, parse(text))
    size = Size(size_bytes, rows=size_bytes // 100)
    return to_data(replace(schema, relations={key: replace(one, size=size) for key, one in schema.relations.items()}))


@pytest.mark.parametrize(("size_bytes", "risk"), [(8192, "safe"), (50_000_000_000, "high-risk")])
def test_the_size_of_the_table_decides_about_the_class(cast, size_bytes, risk):
    run = planned(cast, {"001_ledger": LEDGER, "002_index": INDEX}, size_bytes=size_bytes)

    assert run.plan["class"] == risk
    assert run.plan["locks"] == [["public.ledger", "SHARE"]]
    assert run.judgement["worst"]["relation"] == "ledger"


def test_a_schema_that_is_known_refuses_what_the_server_would_refuse(cast):
    with pytest.raises(PlanBlocked, match="there is no column nothing"):
        planned(cast, {"001_ledger": LEDGER, "002_typo": "ALTER TABLE ledger DROP COLUMN nothing"})

    assert MigrationRun.objects.count() == 0


def test_two_migrations_of_one_plan_are_judged_one_after_the_other(cast):
    story.release(cast, {"001_ledger": LEDGER, "002_index": INDEX})
    story.read(cast.rewards_prod, {}, model=to_data(EMPTY))

    run = story.ask(cast.production, cast.dana)

    assert run.plan["class"] == "safe"  # the table is empty until then
    assert "size unknown" not in str(run.judgement)


def test_who_approves_a_plan_accepts_what_its_author_ignores(cast):
    run = planned(cast, {"001_ledger": LEDGER, "002_index": IGNORED})

    assert run.plan["accepted"] == [["002_index", "index-not-concurrent:2", "the table has forty rows"]]


def test_a_safe_plan_that_ignores_something_needs_somebody_who_accepts_that(cast):
    policy = {"approvals": {"safe": [], "controlled": [], "high-risk": []}}
    Policy.objects.create(environment=cast.production, version=2, rules=policy, reason="x")

    asked = planned(cast, {"001_ledger": LEDGER, "002_ignored": IGNORED})

    assert [one.rule for one in unmet_of(asked)] == ["approval-dba"]


def test_another_reason_for_ignoring_is_another_plan(cast):
    one = planned(cast, {"001_ledger": LEDGER, "002_index": IGNORED})
    other = IGNORED.replace("forty", "fifty")
    story.release(cast, {"001_ledger": LEDGER, "002_index": other})

    assert story.ask(cast.production, cast.dana).digest != one.digest


HISTORY = {"001_ledger": LEDGER, "002_expand": EXPAND, "003_contract": CONTRACT}


def contract_after(cast, *, soak_seconds, running):
    """Deploy the expand to production, where this version of the application runs then, and ask for the contract."""
    rules = {"staging_first": False, "contract_soak_seconds": soak_seconds}
    Policy.objects.create(environment=cast.production, version=2, rules=rules, reason="x")
    before = dict(list(HISTORY.items())[:2])
    run = planned(cast, before)
    story.end(story.begin(run, cast.dana), JobState.SUCCEEDED, applied=1)
    Environment.objects.filter(pk=cast.production.pk).update(application_version=running)
    cast.production.refresh_from_db()
    story.release(cast, HISTORY)
    story.read(cast.rewards_prod, before, model=model_of(HISTORY, 8192))
    return story.ask(cast.production, cast.dana)


def test_a_contract_whose_time_has_come_is_planned_and_its_checklist_says_so(cast):
    run = contract_after(cast, soak_seconds=0, running="2.7.1")

    items = {one["code"]: one for one in run.judgement["reviews"]["003_contract"]}
    assert items["compatible"]["outcome"] == "met"
    assert "002_expand" in items["compatible"]["words"]
    assert items["tests"]["outcome"] == "not known"


def test_a_contract_waits_until_its_expand_has_soaked(cast):
    with pytest.raises(ExpandNotSoaked, match="003_contract takes away what 002_expand replaces"):
        contract_after(cast, soak_seconds=86_400, running="2.7")


@pytest.mark.parametrize("running", ["2.6", "v2.6.3"])
def test_a_contract_waits_while_the_old_application_runs(cast, running):
    with pytest.raises(OldApplicationRuns, match="the application still uses"):
        contract_after(cast, soak_seconds=0, running=running)


def test_a_contract_does_not_go_out_together_with_its_expand(cast):
    story.release(cast, HISTORY)
    story.read(cast.rewards_prod, {"001_ledger": LEDGER})

    with pytest.raises(ExpandNotDeployed, match="Sync the commit that has 002_expand and not yet this one"):
        story.ask(cast.production, cast.dana)
    assert MigrationRun.objects.count() == 0


def test_a_first_deploy_brings_expand_and_contract_together(cast):
    story.release(cast, HISTORY)
    story.read(cast.rewards_prod, {}, model=to_data(EMPTY))

    assert len(story.ask(cast.production, cast.dana).plan["migrations"]) == 3


def test_an_environment_that_is_not_protected_does_not_wait(cast):
    staging = story.second_database(cast)
    story.release(cast, HISTORY)
    story.read(staging, {"001_ledger": LEDGER})

    assert len(story.ask(cast.staging, cast.dana).plan["migrations"]) == 2


def test_a_way_back_is_never_held_up_by_a_contract(cast):
    run = contract_after(cast, soak_seconds=0, running="2.7")
    Policy.objects.create(
        environment=cast.production,
        version=3,
        rules={"staging_first": False, "contract_soak_seconds": 86_400},
        reason="x",
    )
    story.approve(run, cast.lee)
    story.end(story.begin(run, cast.dana), JobState.SUCCEEDED, applied=1)
    story.read(cast.rewards_prod, HISTORY, model=model_of({**HISTORY, "": ""}, 8192))
    run.refresh_from_db()

    back = request_rollback(run, reason="x", request_key=uuid4(), actor=person(cast.noor))

    assert back.plan["requirements"]["contract_soak_seconds"] is None


def test_what_one_of_several_databases_would_refuse_blocks_the_plan_of_all():
    first = judge_scripts([("1_drop", "ALTER TABLE ledger DROP COLUMN note")], World(replayed(LEDGER)))
    second = judge_scripts(
        [("1_drop", "ALTER TABLE ledger DROP COLUMN note")], World(replayed("CREATE TABLE ledger (id int)"))
    )

    assert first.blocking == ()
    assert [one.code for _, one in gravest([first, second]).blocking] == ["statement-will-fail"]


def test_code_that_is_not_analysed_is_not_told_as_stopping_nobody():
    judged = judge_scripts([("1_do", "DO $$ BEGIN PERFORM 1; END $$")], World(replayed(LEDGER)))

    assert (judged.worst, judged.is_analysed) == (None, False)


def replayed(sql):
    return replay_script(EMPTY, parse(sql))
