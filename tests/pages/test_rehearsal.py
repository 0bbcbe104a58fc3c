"""What the pages say of a way back that was tried or was not, and the press that has it tried."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from checks.rehearsal.plans import PlanChange
from checks.rehearsal.proof import Outcome, Proof, Traced, Try
from checks.statements import parse
from deployments.actors import EXECUTOR
from deployments.models import Environment, MigrationRun, Script
from deployments.models.run import RunKind
from deployments.selectors.rehearsals import scripts_of
from deployments.selectors.runs import unmet_of
from deployments.services.rehearse import keep_rehearsal
from deployments.states import JobState, RunState
from tests.pages import made
from tests.pages.markup import faults
from tests.pages.test_run_deeds import press
from tests.pages.words import signs, words

PROOF = Proof(
    outcome=Outcome.RESTORES,
    scripts="",
    at=datetime(2026, 1, 1, tzinfo=UTC),
    server_version=180_000,
    clone_bytes=8_000_000,
    seconds=2.0,
    untried=("points twice with the same code: no row could be derived",),
    tries=(Try("the way back", is_good=True, seconds=0.2),),
    traced=(Traced("001", "forward", 1, 3, "CREATE INDEX", 0.1, (("points", "ShareLock"),), wal_bytes=9000),),
)
WRONG = replace(PROOF, outcome=Outcome.NOT_PROVEN, problems=("index points_code does not come back",))


@pytest.fixture
def approved(cast) -> MigrationRun:
    """A run on production, where rehearsals are possible, that everybody has approved."""
    Environment.objects.filter(pk=cast.production.pk).update(rehearsal_connection="env:REHEARSAL")
    cast.production.refresh_from_db()
    return made.approved(cast)


def rehearsed(run: MigrationRun, proof: Proof) -> MigrationRun:
    """Play the executor of a rehearsal that was asked for, and return its run."""
    rehearsal = MigrationRun.objects.get(kind=RunKind.REHEARSAL, finished_at=None)
    acts = made.Executor(rehearsal)
    step = acts.begin()
    proof = replace(proof, scripts=scripts_of(run.plan))
    keep_rehearsal(acts.job, proof, fence=acts.fence, actor=EXECUTOR)
    told = {"summary": f"Way back: {proof.sentence}.", "evidence": {"proof": proof.as_evidence()}}
    acts.end(step, **told)
    made.move_job(acts.job, JobState.SUCCEEDED, actor=EXECUTOR)
    return made.again(rehearsal)


def test_a_run_waits_for_its_proof_and_one_press_has_it_tried(cast, browse, approved):
    client, way = browse(cast.dana), f"/runs/{approved.number}/"
    assert [one.rule for one in unmet_of(approved)] == ["rehearsal"]
    shown = words(client.get(way))
    assert "Not proven It was not rehearsed with exactly these scripts." in shown

    answer = press(client, way, f"{way}rehearse/")

    rehearsal = MigrationRun.objects.get(kind=RunKind.REHEARSAL)
    assert (answer.status_code, answer["Location"]) == (302, f"/runs/{rehearsal.number}/")
    assert rehearsal.state == RunState.QUEUED
    assert [job.writes for job in rehearsal.jobs.all()] == [False]
    assert f"Being rehearsed now: run {rehearsal}" in words(client.get(way))

    rehearsed(approved, PROOF)

    assert unmet_of(made.again(approved)) == ()
    rehearsal.refresh_from_db()
    for place in (f"/runs/{rehearsal.number}/", "/runs/?kind=rehearsal"):
        assert "Proven" in signs(client.get(place))
        assert "Not proven" not in signs(client.get(place))
    answer = client.get(way)
    assert faults(answer.content.decode()) == []
    assert "restores everything." in words(answer)
    assert "Ready to start" in words(answer)
    assert "Restores everything." in words(browse(cast.lee).get(f"{way}approval/"))


def test_what_does_not_come_back_is_said_first_and_nothing_starts(cast, browse, approved):
    client, way = browse(cast.dana), f"/runs/{approved.number}/"
    press(client, way, f"{way}rehearse/")
    rehearsal = rehearsed(approved, WRONG)

    sentence = "not proven: index points_code does not come back."
    assert [one.text for one in unmet_of(approved)] == [f"The way back on rewards_prod is {sentence}"]
    assert sentence in words(client.get(way))
    answer = client.get(f"/runs/{rehearsal.number}/")
    shown = words(answer)
    assert faults(answer.content.decode()) == []
    assert f"Way back: {sentence} Nothing was changed in the target." in shown
    assert "points: ShareLock" in shown
    assert "no row could be derived" in shown
    assert "Roll back" not in shown
    assert "Not proven" in signs(answer)
    assert not {"Succeeded", "Proven"} & signs(answer)
    listed = client.get("/runs/?kind=rehearsal")
    assert "Not proven" in signs(listed)
    assert not {"Succeeded", "Proven"} & signs(listed)
    assert "nothing applied" not in words(listed)


def test_who_may_not_ask_for_runs_may_not_have_one_rehearsed(cast, browse, approved):
    client, way = browse(cast.mika), f"/runs/{approved.number}/"

    answer = press(client, way, f"{way}rehearse/")

    assert answer.status_code == 403
    assert not MigrationRun.objects.filter(kind=RunKind.REHEARSAL).exists()


def test_times_on_the_clone_and_queries_that_are_planned_worse_stand_where_it_is_decided(cast, browse, approved):
    client, way = browse(cast.dana), f"/runs/{approved.number}/"
    assert "on a clone of" not in words(client.get(way))
    press(client, way, f"{way}rehearse/")
    first = approved.plan["migrations"][0]
    line = parse(Script.objects.get(pk=first["forward"]).text()).statements[0].line
    worse = replace(
        PROOF,
        traced=(replace(PROOF.traced[0], migration=first["name"], line=line),),
        masked="masking.sql (0123) ran first: 1 statement, 7 rows. What it changed is no difference",
        queries=2,
        plans=(PlanChange("points of one", "reads points whole now, which it did not"),),
        unplanned=("the extension pg_stat_statements is not there",),
    )

    rehearsal = rehearsed(approved, worse)

    took = "0.1 s on a clone of 8.0 MB; "
    plan, decision, evidence = (
        client.get(way), browse(cast.lee).get(f"{way}approval/"), client.get(f"/runs/{rehearsal.number}/"),
    )  # fmt: skip
    for name, page in (("plan", plan), ("decision", decision), ("evidence", evidence)):
        assert took in words(page), name
        assert faults(page.content.decode()) == []
    assert "Worse: points of one: reads points whole now, which it did not." in words(decision)
    for told in ("Queries that are planned worse", "7 rows", "Not planned the extension pg_stat_statements"):
        assert told in words(evidence)
