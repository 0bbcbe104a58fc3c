"""The pipelines: open this file and read what a run does."""

from deployments.models.run import RunKind
from deployments.pipelines.contract import Pipeline
from deployments.pipelines.migrate import Migrate
from deployments.pipelines.preflight import Preflight
from deployments.postgres.ledger import FORWARD, ROLLBACK

DEPLOY = Pipeline("deploy", steps=(Preflight(), Migrate(FORWARD)))
ROLL_BACK = Pipeline("rollback", steps=(Preflight(), Migrate(ROLLBACK)))

PIPELINES: dict[str, Pipeline] = {RunKind.DEPLOY: DEPLOY, RunKind.ROLLBACK: ROLL_BACK}
