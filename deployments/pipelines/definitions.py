"""The pipelines: open this file and read what a run does."""

from deployments.models.run import RunKind
from deployments.pipelines.contract import Pipeline
from deployments.pipelines.restoring import begin, leave
from deployments.pipelines.steps.application import TellDeployment
from deployments.pipelines.steps.backup import BackUp
from deployments.pipelines.steps.checks import CheckIntegrity
from deployments.pipelines.steps.count import CountDropped
from deployments.pipelines.steps.health import CheckHealth
from deployments.pipelines.steps.keep import Keep
from deployments.pipelines.steps.migrate import Migrate
from deployments.pipelines.steps.preflight import Preflight
from deployments.pipelines.steps.rehearse import Rehearse
from deployments.pipelines.steps.restore import (
    CountAfterwards,
    CountLost,
    Exchange,
    LookBeforeRestore,
    MakeReady,
    StopWrites,
)
from deployments.pipelines.steps.smoke import Smoke
from deployments.pipelines.steps.watch import Watch
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
        CountDropped(),
        Keep(),
        TellDeployment(),
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
