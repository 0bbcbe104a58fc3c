"""Runs for pages, made by the services: no target is opened, an executor's part is played here."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models.functions import Now

from deployments.actors import EXECUTOR, person
from deployments.models import Job, MigrationRun, Step, User
from deployments.models.approval import Verdict
from deployments.postgres.guard import Bill, InTheWay
from deployments.selectors.rail import STAGES
from deployments.services.decide import decide, start
from deployments.services.pause import request_pause
from deployments.services.plan import request_rollback
from deployments.services.progress import write_applied, write_line, write_progress, write_waits
from deployments.services.transition import claim_job, move_job, move_step
from deployments.states import JobState, StepState
from tests.deployments.cast import Cast
from tests.pages import story
from tests.pages.story import LEASE

TWO = {
    "20261101_points_currency": "-- a currency for points\nALTER TABLE points ADD COLUMN currency text;\n",
    "20261102_points_fill": (
        "UPDATE points SET currency = 'EUR';\nALTER TABLE points ALTER COLUMN currency SET NOT NULL;\n"
    ),
}


def requested(cast: Cast, *, scripts: story.Scripts = TWO, by: User | None = None, **told: Any) -> MigrationRun:
    """Return a run on production that Dana asked for and that awaits its decision."""
    story.release(cast, scripts)
    for database in cast.production.databases.all():
        story.read(database, {}, server_version=180_006, system_identifier=f"700000000000000000{database.position}")
    return story.ask(cast.production, by or cast.dana, **told)


def approved(cast: Cast, **told: Any) -> MigrationRun:
    """Return a run that everybody who is asked has approved."""
    return approve(cast, requested(cast, **told))


def approve(cast: Cast, run: MigrationRun) -> MigrationRun:
    """Have everybody who is asked approve a run, and return it."""
    for user in (cast.lee, cast.mika):
        decide(run, verdict=Verdict.APPROVED, digest=run.digest, comment="Reads well", actor=person(user))
    return again(run)


def started(cast: Cast, **told: Any) -> MigrationRun:
    """Return a run that is queued."""
    return start(approved(cast, **told), actor=person(cast.dana))


def again(run: MigrationRun) -> MigrationRun:
    return MigrationRun.objects.get(pk=run.pk)


IN_THE_WAY = InTheWay(
    pid=4711,
    user="metabase",
    application="nightly report",
    state="idle in transaction",
    seconds=842.0,
    query="SELECT sum(amount) FROM points WHERE member = ?",
    relation="public.points",
    backend_start=datetime(2026, 11, 19, 3, 0, 10, 5, tzinfo=UTC),
    xact_start=datetime(2026, 11, 19, 3, 1, 10, 7, tzinfo=UTC),
)


class Executor:
    """Plays the executor of one job, step by step."""

    def __init__(self, run: MigrationRun, *, position: int = 1, lease: timedelta = LEASE) -> None:
        waiting = run.jobs.get(position=position)
        claimed = claim_job(waiting.pk, executor="eu-w1/7731", lease=lease, actor=EXECUTOR)
        assert claimed is not None
        self.job: Job = claimed
        self.kind = run.kind
        self.place = 0

    @property
    def fence(self) -> int:
        return self.job.fence or 0

    def begin(self, **progress: Any) -> Step:
        """Begin the next step, and tell its progress."""
        name = STAGES[self.kind][self.place]
        self.place += 1
        step = Step.objects.create(job=self.job, position=self.place, name=name)
        move_step(step, StepState.RUNNING, fence=self.fence, actor=EXECUTOR)
        if progress:
            write_progress(step, progress, fence=self.fence)
            step.refresh_from_db()
        return step

    def end(self, step: Step, to: StepState = StepState.SUCCEEDED, **facts: Any) -> Step:
        move_step(step, to, fence=self.fence, actor=EXECUTOR, **({"summary": "As planned."} | facts))
        return step

    def walk(self, until: str) -> Step:
        """End every step before this one well, and begin it."""
        while (step := self.begin()).name != until:
            self.end(step)
        return step

    def say(self, step: Step, *lines: str) -> None:
        for line in lines:
            write_line(step, line, fence=self.fence)

    def commit(self, count: int) -> None:
        write_applied(self.job, count, fence=self.fence)

    def close(self, to: JobState, **facts: Any) -> MigrationRun:
        """End the job, and return its run."""
        self.job.refresh_from_db()
        move_job(self.job, to, actor=EXECUTOR, **facts)
        return again(self.job.run)

    def die(self, *, silent: timedelta = timedelta(seconds=40)) -> None:
        """Let the executor have been silent for so long."""
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE deployments_job SET heartbeat_at = clock_timestamp() - %s::interval,"
                " lease_until = clock_timestamp() - %s::interval WHERE id = %s",
                [silent, silent - LEASE, self.job.pk],
            )


def running(cast: Cast, **told: Any) -> Executor:
    """Return an executor in the middle of the second migration."""
    acts = Executor(started(cast, **told))
    step = acts.walk("migrate")
    acts.commit(1)
    acts.say(step, "20261101_points_currency: 1 statement, in one transaction", "20261101_points_currency: committed")
    told_last = {"migration": "20261102_points_fill", "number": 2, "of": 2, "statement": 1, "statements": 2}
    write_progress(step, told_last | {"sql": "UPDATE points SET currency = 'EUR'"}, fence=acts.fence)
    return acts


def waiting(cast: Cast, **told: Any) -> Executor:
    """Return an executor whose statement waits for a session of others, which its guard has told of."""
    acts = running(cast, **told)
    write_waits(acts.job, "migrate", Bill(in_our_way=[IN_THE_WAY]).as_progress(), fence=acts.fence)
    return acts


def resting(cast: Cast, **told: Any) -> MigrationRun:
    """Return a run that rests after one of two migrations, and keeps its slot."""
    acts = running(cast, **told)
    request_pause(acts.job.run, reason="The shop is busy", actor=person(cast.noor))
    text = f"{acts.job} was paused on request before 20261102_points_fill, whose last try was rolled back."
    stop(acts, StepState.INTERRUPTED, code="paused-on-request", text=text)
    return acts.close(JobState.QUEUED, paused_at=Now(), pauses=1, holds_slot=True)


def stop(acts: Executor, to: StepState, *, code: str, text: str) -> None:
    """End the live step badly."""
    step = acts.job.steps.get(state=StepState.RUNNING)
    acts.say(step, f"20261102_points_fill: {text}")
    acts.end(step, to, summary=text, error_code=code)


def failed(cast: Cast, **told: Any) -> MigrationRun:
    """Return a run that failed with one of two migrations applied."""
    acts = running(cast, **told)
    text = "20261102_points_fill failed: column “currency” contains null values (SQLSTATE 23502)."
    stop(acts, StepState.FAILED, code="statement-failed", text=text)
    return acts.close(JobState.FAILED, error_code="statement-failed", error=text, applied=1)


def in_doubt(cast: Cast, **told: Any) -> MigrationRun:
    """Return a run that a person must decide about."""
    acts = running(cast, **told)
    text = "It is not known whether 20261102_points_fill happened: the connection broke. Nothing more was started."
    stop(acts, StepState.INTERRUPTED, code="in-doubt", text=text)
    return acts.close(JobState.NEEDS_ATTENTION, error_code="in-doubt", error=text, applied=1)


def succeeded(cast: Cast, **told: Any) -> MigrationRun:
    """Return a run that went well, with some evidence."""
    acts = Executor(started(cast, **told))
    for name in STAGES[acts.kind]:
        step = acts.begin()
        acts.end(step, EVIDENT.get(name, (StepState.SUCCEEDED,))[0], **EVIDENT.get(name, (0, {}))[1])
    story.read(acts.job.database, told.get("scripts", TWO), system_identifier="7000000000000000001")
    return acts.close(JobState.SUCCEEDED, applied=len(acts.job.run.plan["migrations"]))


def rollback(cast: Cast, run: MigrationRun, **told: Any) -> MigrationRun:
    """Return the way back from a run, which awaits its decision."""
    return request_rollback(run, reason="It broke", request_key=uuid.uuid4(), actor=person(cast.noor), **told)


READING = {
    "is_healthy": True,
    "why": "",
    "status": 200,
    "milliseconds": 12,
    "version": "5c0e7b2",
    "address": "10.0.0.1",
}
EVIDENT: dict[str, tuple[StepState, dict[str, Any]]] = {
    "preflight": (
        StepState.SUCCEEDED,
        {
            "summary": "PostgreSQL 18.6, rewards_prod: as planned.",
            "evidence": {
                "server_version": 180006,
                "system_identifier": "7000000000000000001",
                "database_name": "rewards_prod",
                "applied": 212,
                "collisions": {
                    "met": [
                        {
                            "kind": "long-transaction",
                            "text": "pid 48213 (metabase, unnamed, active) for 660 s, holding public.ledger",
                            "is_in_the_way": True,
                        }
                    ],
                    "untold": ["Free disk on the server is not measured: PostgreSQL does not tell it."],
                    "waited_seconds": 0.0,
                },
                "store": {"free_bytes": 412 * 10**9, "wanted_bytes": 31 * 10**9, "pg_dump": "18.1"},
                "health": READING,
            },
        },
    ),
    "backup": (
        StepState.SUCCEEDED,
        {
            "summary": "41 tables, 1,000 rows counted, 31,200,000,000 bytes, dumped and read to the end.",
            "evidence": {
                "place": "c0ffee/run-1/job-1/fence-1",
                "scope": "database",
                "level": "readable",
                "bytes": 31_200_000_000,
                "files": 44,
                "manifest_sha256": "7c1e" * 16,
                "snapshot_at": "2026-11-19T03:00:10+00:00",
                "snapshot_lsn": "1A/2B3C4D5E",
                "client_version": "18.1",
                "compression": "zstd:3",
                "seconds": {"dump": 300.5, "read": 40.25},
                "tables": 41,
                "rows": 1000,
                "rows_not_measured": ["public.audit"],
                "tables_not_measured": 1,
            },
        },
    ),
    "checks after": (
        StepState.SUCCEEDED,
        {
            "summary": "1 check passed, 1 not measured.",
            "evidence": {
                "checks": [
                    {"migration": "20261102_points_fill", "number": 1, "line": 2, "title": "no point without currency",
                     "expectation": "no rows", "verdict": "passed", "detail": "No rows.", "milliseconds": 41},
                    {"migration": "20261102_points_fill", "number": 2, "line": 5, "title": "sum of points",
                     "expectation": "unchanged", "verdict": "not measured", "detail": "It took longer than 30 s.",
                     "milliseconds": 30000},
                ],
                "constraints": [], "indexes": [], "orphans": [],
                "rows": [{"table": "public.points", "count": None, "is_estimate": False, "reason": "It is locked.",
                          "is_gone": False, "verdict": "not measured", "detail": "It is locked."}],
            },
        },
    ),
    "migrate": (
        StepState.SUCCEEDED,
        {
            "summary": "2 of 2 applied in 0.4 s.",
            "evidence": {
                "migrations": ["20261101_points_currency", "20261102_points_fill"],
                "seconds": 0.412,
                "waits": {"20261101_points_currency": {"most_waiting": 3, "oldest_seconds": 0.04, "total_seconds": 0.3,
                                                       "applications": ["rewards"]}},
            },
        },
    ),
    "smoke": (StepState.SKIPPED, {"summary": "There is no smoke.sql: not measured."}),
    "health check": (
        StepState.SUCCEEDED,
        {"summary": "The application is healthy, 12 ms.", "evidence": {"readings": [READING]}},
    ),
    "watch": (
        StepState.SUCCEEDED,
        {
            "summary": "Watched for 600 s: 60 of 60 answers were healthy.",
            "evidence": {"seconds": 600, "healthy": 60, "unhealthy": 0, "slowest_ms": 48, "last": READING},
        },
    ),
}  # fmt: skip
