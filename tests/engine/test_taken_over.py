"""An executor that halts at a named place for longer than its lease: another finishes its work, and it writes nothing.

To halt is harder than to die: its sessions on the target are still there, and it goes on where it was.
"""

import os
import re
import signal
from pathlib import Path

import pytest
from django.db.models.functions import Now
from psycopg import sql

from deployments.crash import HALT, POINTS, VARIABLE
from deployments.models import (
    AuditEvent,
    Backup,
    BackupCheck,
    Job,
    LatencyReading,
    MigrationRun,
    Observation,
    Step,
    StepLog,
)
from deployments.pipelines.executor import execute
from tests.engine.backups import asks_for_verified_backup, scratch_databases, store_of
from tests.engine.conftest import SHORT_LEASE, Rewards, configured
from tests.engine.crashes import SCENES, leave_half_an_index, prepare
from tests.engine.processes import eventually
from tests.postgres.test_swap_killed import PLACES as KILLED_IN_A_RESTORE

PRODUCT = Path(__file__).resolve().parents[2] / "deployments"
KEPT = (AuditEvent, Backup, BackupCheck, Job, LatencyReading, MigrationRun, Observation, Step, StepLog)
TABLES = ("history", "statement", "fence")
OF_A_RESTORE = [name for name in KILLED_IN_A_RESTORE if name not in SCENES]
"""Places that only the restore of a whole database comes by: `tests/postgres/test_swap_killed.py` dies at each."""


def test_every_named_place_is_known_and_has_a_scene():
    found = {
        name
        for file in PRODUCT.rglob("*.py")
        for name in re.findall(r"""\bcrash_point\(["']([a-z-]+)["']\)""", file.read_text())
    }

    assert found == set(POINTS) == set(SCENES) | set(OF_A_RESTORE)


def planned(rewards: Rewards, point: str) -> Job:
    prepare(rewards, SCENES[point])
    if SCENES[point].is_verified:
        asks_for_verified_backup(rewards)
    job = rewards.start(rewards.plan())
    if SCENES[point].has_leftover:
        rewards.execute(job, **{VARIABLE: "statement-intended"}, **SHORT_LEASE)
        leave_half_an_index(rewards)
        until_lease_is_over(job)
    return job


def has_halted(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def until_lease_is_over(job: Job) -> None:
    eventually(lambda: Job.objects.filter(pk=job.pk, lease_until__lt=Now()).exists())


def succeed(rewards: Rewards, job: Job) -> None:
    """Have another executor take over when the lease is over, and walk the job to its end."""
    until_lease_is_over(job)
    with configured(rewards.environment | {"LEASE": "10", "SILENCE": "8"}):
        eventually(lambda: execute(job.pk))


def everything(rewards: Rewards) -> dict[str, list[tuple]]:
    """Return every row that an executor may write, here and in the target."""
    here = {model.__name__: sorted(model.objects.values_list(), key=str) for model in KEPT}
    with rewards.connect() as opened:
        there = {
            name: opened.execute(sql.SQL("SELECT * FROM locktender.{}").format(sql.Identifier(name))).fetchall()
            for name in TABLES
        }
    return here | there


def require_applied_once(rewards: Rewards, job: Job, point: str) -> None:
    scene = SCENES[point]
    done = Job.objects.get(pk=job.pk)
    assert (done.state, done.applied) == ("succeeded", len(scene.files)), done.error
    assert done.claims == (3 if scene.has_leftover else 2)
    assert rewards.history() == [(f"{number:03}_file", "forward") for number in range(1, len(scene.files) + 1)]
    with rewards.connect() as opened:
        for query, answer in scene.proofs:
            assert opened.execute(query).fetchone() == answer
    if scene.is_verified:
        assert [(check.outcome, check.found["not_compared"]) for check in BackupCheck.objects.all()] == [("equal", [])]
        assert scratch_databases() == []
        assert not list(store_of(rewards).root.rglob("*.tmp"))


@pytest.mark.parametrize("point", SCENES)
def test_who_halts_there_and_goes_on_too_late_finds_the_work_done_and_writes_nothing(rewards, point):
    job = planned(rewards, point)
    with rewards.executor(job, **{HALT: point}, **SHORT_LEASE) as stale:
        try:
            eventually(lambda: has_halted(stale.pid))
            succeed(rewards, job)
            require_applied_once(rewards, job, point)
            before = everything(rewards)
        finally:
            os.kill(stale.pid, signal.SIGCONT)
        stale.communicate(timeout=60)

    assert everything(rewards) == before
    require_applied_once(rewards, job, point)


@pytest.mark.parametrize("point", ["statement-acted", "batch-before-commit", "all-steps-done"])
def test_who_dies_there_is_taken_over_and_the_work_is_done_once(rewards, point):
    """The places that no other test kills at."""
    job = planned(rewards, point)
    rewards.execute(job, **{VARIABLE: point}, **SHORT_LEASE)

    succeed(rewards, job)

    require_applied_once(rewards, job, point)
