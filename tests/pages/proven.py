"""Deployed runs whose way back was rehearsed and counted, without an executor or a target."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from checks.rehearsal.proof import Outcome, Proof, Traced, Try
from deployments.actors import EXECUTOR, person
from deployments.models import Environment, MigrationRun, User
from deployments.selectors.rail import STAGES
from deployments.selectors.rehearsals import scripts_of
from deployments.selectors.script_price import rollbacks_of
from deployments.services.decide import start
from deployments.services.draft import draft_rollback
from deployments.services.looks import answer
from deployments.services.rehearse import keep_rehearsal, request_rehearsal
from deployments.services.script_price import request_script_price
from deployments.states import JobState
from tests.deployments.cast import Cast
from tests.pages import made, story
from tests.pages.deployed import ADDED, Pairs, asked, read

PROOF = Proof(
    outcome=Outcome.RESTORES,
    scripts="",
    at=datetime(2026, 1, 1, tzinfo=UTC),
    server_version=180_000,
    clone_bytes=8_000_000,
    seconds=2.0,
    tries=(Try("the way back", is_good=True, seconds=0.2),),
    traced=(
        Traced("001_points", "forward", 1, 1, "ALTER TABLE", 9.0, (("ledger", "ShareLock"),)),
        Traced("002_ledger", "rollback", 1, 1, "DROP TABLE", 0.4, (("ledger", "AccessExclusiveLock"),)),
        Traced("001_points", "rollback", 1, 1, "ALTER TABLE", 0.6, (("points", "AccessExclusiveLock"),)),
    ),
)
NOTHING: dict[str, Any] = {"going": [], "unfit": [], "fitting": 3, "untold": [], "seconds": 0.1}


def rehearsed(run: MigrationRun, proof: Proof, by: User) -> MigrationRun:
    """Have the way back of an awaiting run rehearsed with this result, and return the rehearsal."""
    Environment.objects.filter(pk=run.environment_id).update(rehearsal_connection="env:REHEARSAL")
    rehearsal = request_rehearsal(made.again(run), request_key=uuid.uuid4(), actor=person(by))
    acts = made.Executor(rehearsal)
    step = acts.begin()
    keep_rehearsal(acts.job, replace(proof, scripts=scripts_of(run.plan)), fence=acts.fence, actor=EXECUTOR)
    acts.end(step)
    return acts.close(JobState.SUCCEEDED)


def proven(
    cast: Cast, pairs: Pairs = ADDED, *, proof: Proof = PROOF, applied: int | None = None, version: str = ""
) -> MigrationRun:
    """Return a run that was rehearsed, approved by everybody, and applied its migrations, or the first of them."""
    run = asked(cast, pairs)
    rehearsed(run, proof, cast.dana)
    Environment.objects.filter(pk=run.environment_id).update(rehearsal_connection="")
    story.approve(run, cast.lee, cast.mika)
    acts = made.Executor(start(made.again(run), actor=person(cast.dana)))
    for _ in STAGES[run.kind]:
        step = acts.begin()
        acts.end(step, evidence={"health": {"version": version}} if version and step.name == "preflight" else {})
    count = len(pairs) if applied is None else applied
    read(cast, dict(list(pairs.items())[:count]))
    return acts.close(JobState.SUCCEEDED if applied is None else JobState.FAILED, applied=count)


def gone(name: str, count: int, lost: int | None, **more: Any) -> dict[str, Any]:
    """Return what a target says of one table or column that would be dropped."""
    what = "values" if "." in name else "rows"
    told = {"name": name, "what": what, "sure": "exact", "count": count, "since": lost, "lost": lost}
    return told | {"underivable": None, "is_declared": False, "why": ""} | more


def counted(run: MigrationRun, by: User, **found: Any) -> None:
    """Have the price of a script counted, with this answer of the target."""
    for wish in request_script_price(run, actor=person(by)):
        scripts = rollbacks_of(draft_rollback(run).entries)
        assert answer(wish, found=NOTHING | {"scripts": scripts} | found)
