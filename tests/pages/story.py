"""What pages show, made by the services that make it: releases, readings, plans, decisions, and runs at work.

No target is touched: what an executor would have told is written as it would have written it.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from checks.layouts import MigrationFiles, named
from checks.model import UNKNOWN, Schema, Size
from checks.model.replay import replay_script
from checks.model.saved import to_data
from checks.schema import Snapshot
from checks.statements import parse
from deployments.actors import COMMAND_LINE, EXECUTOR, person
from deployments.models import Database, Environment, Job, MigrationRun, Observation, Step, User
from deployments.models.approval import Verdict
from deployments.services.decide import decide, start
from deployments.services.observe import keep_observation
from deployments.services.plan import request_deploy
from deployments.services.progress import write_progress
from deployments.services.sync import Synced, sync
from deployments.services.transition import claim_job, move_job, move_step
from deployments.sources.found import Found
from deployments.states import JobState, StepState
from tests.deployments.cast import Cast

LAYOUT = named("sql-pairs")
LEASE = timedelta(seconds=30)
LEDGER = "CREATE TABLE ledger (id bigint PRIMARY KEY)"
NOTES = "ALTER TABLE ledger ADD COLUMN note text"
TIGHT = "ALTER TABLE ledger ALTER COLUMN note SET NOT NULL"
DROP = "DROP TABLE ledger CASCADE"

Scripts = Mapping[str, str]


def release(cast: Cast, scripts: Scripts, *, without_rollback: Sequence[str] = (), **parts: str) -> Synced:
    """Sync these forward scripts, each with a way back; `verify` and `notes` go to all of them."""
    extra = {part: text.encode() for part, text in parts.items()}
    files = tuple(
        MigrationFiles(
            name=name,
            version=name.partition("_")[0],
            forward=text.encode(),
            rollback=None if name in without_rollback else b"SELECT 1",
            **extra,
        )
        for name, text in scripts.items()
    )
    return sync(cast.rewards, found=Found(files, None, LAYOUT), commit="", actor=COMMAND_LINE)


def read(database: Database, applied: Scripts, **fields: Any) -> Observation:
    """Keep a reading of a target that has these scripts applied."""
    history = [{"name": name, "checksum": LAYOUT.checksum(text.encode())} for name, text in applied.items()]
    return keep_observation(
        Database.objects.get(pk=database.pk),
        **{
            "system_identifier": "7000000000000000001",
            "database_name": database.name,
            "server_version": 160_009,
            "connections": 100,
            "history": history,
            "schema": Snapshot({}, 160_009),
            "sizes": {},
            "model": to_data(small(applied)),
            "actor": COMMAND_LINE,
        }
        | fields,
    )


def small(applied: Scripts) -> Schema:
    """Return the schema that scripts leave behind, with hardly a row in any table, and perhaps more than they made."""
    schema = UNKNOWN
    for text in applied.values():
        schema = replay_script(schema, parse(text))
    size = Size(bytes=8192, index_bytes=16384, rows=10)
    relations = {name: replace(one, size=size) for name, one in schema.relations.items()}
    return replace(schema, relations=relations)


def second_database(cast: Cast) -> Database:
    """Return a database of staging."""
    return Database.objects.create(environment=cast.staging, name="rewards_staging", connection="env:REWARDS_STAGING")


def ask(environment: Environment, user: User, **fields: Any) -> MigrationRun:
    """Ask for a run of everything pending."""
    given = {"reason": "Points need a currency", "request_key": uuid.uuid4(), "actor": person(user)} | fields
    return request_deploy(environment, **given)


def approve(run: MigrationRun, *people: User) -> None:
    for one in people:
        decide(run, verdict=Verdict.APPROVED, digest=run.digest, actor=person(one))


def begin(run: MigrationRun, user: User) -> Job:
    """Start a run and have an executor claim its first job."""
    start(run, actor=person(user))
    job = claim_job(run.jobs.get(position=1).pk, executor="host/1", lease=LEASE, actor=EXECUTOR)
    assert job is not None
    return job


def end(job: Job, state: JobState, **facts: Any) -> Job:
    """End a running job as its executor would."""
    move_job(job, state, actor=EXECUTOR, **facts)
    return job


def at_step(job: Job, name: str, **progress: Any) -> Step:
    """Have a running job be at a step."""
    step = Step.objects.create(job=job, position=job.steps.count() + 1, name=name, fence=job.fence)
    move_step(step, StepState.RUNNING, fence=job.fence, actor=EXECUTOR)
    write_progress(step, progress, fence=job.fence)
    return step
