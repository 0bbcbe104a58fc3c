"""The pipelines: open this file and read what a run does."""

from deployments.models.run import RunKind
from deployments.pipelines.backup import BackUp
from deployments.pipelines.checks import CheckIntegrity
from deployments.pipelines.contract import Pipeline
from deployments.pipelines.health import CheckHealth
from deployments.pipelines.keep import Keep
from deployments.pipelines.migrate import Migrate
from deployments.pipelines.preflight import Preflight
from deployments.pipelines.rehearse import Rehearse
from deployments.pipelines.restore import (
    CountAfterwards,
    CountLost,
    Exchange,
    LookBeforeRestore,
    MakeReady,
    StopWrites,
)
from deployments.pipelines.restoring import begin, leave
from deployments.pipelines.smoke import Smoke
from deployments.pipelines.watch import Watch
from deployments.postgres.ledger import FORWARD, ROLLBACK

DEPLOY = Pipeline(
    "deploy",
    steps=(
        Preflight(),
        BackUp(),
        CheckIntegrity("before"),
        Migrate(FORWARD),
        CheckIntegrity("after"),
        Smoke(),
        CheckHealth(),
        Watch(),
    ),
)
ROLL_BACK = Pipeline(
    "rollback",
    steps=(
        Preflight(),
        Keep(),
        CheckIntegrity("before"),
        Migrate(ROLLBACK),
        CheckIntegrity("after"),
        CheckHealth(),
    ),
)

REHEARSE = Pipeline("rehearsal", steps=(Rehearse(),))

RESTORE = Pipeline(
    "restore",
    steps=(
        LookBeforeRestore(),
        StopWrites(),
        MakeReady(),
        CountLost(),
        Exchange(),
        CountAfterwards(),
        CheckHealth(),
    ),
    begin=begin,
    leave=leave,
)

PIPELINES: dict[str, Pipeline] = {
    RunKind.DEPLOY: DEPLOY,
    RunKind.ROLLBACK: ROLL_BACK,
    RunKind.REHEARSAL: REHEARSE,
    RunKind.RESTORE: RESTORE,
}
