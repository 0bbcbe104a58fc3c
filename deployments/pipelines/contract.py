"""What a step is: repeatable, bounded in time, returns evidence, and can tell after a crash whether it is done."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from checks.health import Expectation
from deployments.artifacts import Artifacts
from deployments.errors import DeploymentError
from deployments.models import Job
from deployments.pipelines.control import Control
from deployments.postgres.backup.sealing import Keys
from deployments.postgres.clients import Clients
from deployments.postgres.connect import Holder, Target
from deployments.postgres.history import LayoutHistory
from deployments.postgres.script import Limits
from deployments.probe import Prober


class PlanMoved(DeploymentError):
    """The target is no longer in the state the plan was made for."""

    code = "plan-moved"

    def __init__(self, *, target: str, what: str) -> None:
        super().__init__(
            f"{target} is not as it was planned for: {what}. Nothing was run there. "
            "If a successor with a plan for what is there now could be made, it is there; else ask for a new run."
        )


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step ended well: one sentence, and the values that prove it.

    A step that was not asked for, or had nothing to look at, is skipped and says so: it never looks like a pass.
    """

    summary: str
    evidence: dict[str, Any] = field(default_factory=dict)
    is_skipped: bool = False


@dataclass(slots=True)
class StepContext:
    """What a step may use. Steps act on `target`, so that pipelines can point them elsewhere."""

    job: Job
    plan: dict[str, Any]
    target: Target
    holder: Holder
    control: Control
    control_plane_id: UUID
    history: LayoutHistory
    limits: Limits
    guard_interval: timedelta
    clients: Clients
    artifacts: Artifacts
    keys: Keys
    dump_jobs: int
    keep_limit: int  # bytes
    health: Expectation | None
    prober: Prober
    evidence_of: Callable[[str], dict[str, Any]]
    log: Callable[[str], None]
    progress: Callable[[dict[str, Any]], None]
    applied: Callable[[int], None]

    @property
    def planned_database(self) -> dict[str, Any]:
        """What the plan says about this job's database."""
        return next(entry for entry in self.plan["databases"] if entry["id"] == self.job.database_id)


class Step(Protocol):
    """One stage of a pipeline."""

    @property
    def name(self) -> str:
        """What pages call it."""

    @property
    def timeout(self) -> timedelta:
        """How long it may take. One that commits on its way counts anew from each commit."""

    def run(self, ctx: StepContext) -> StepResult:
        """Do it, again if need be. Raises a DeploymentError when it cannot be done."""

    def settled(self, ctx: StepContext) -> StepResult | None:
        """After a crash: the result if it is provably done, None if it can be run again. Raises InDoubt otherwise."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The steps of one kind of run, in order."""

    name: str
    steps: tuple[Step, ...]
    begin: Callable[[StepContext], None] | None = None  # in place of taking the target over
    leave: Callable[[StepContext, BaseException], None] | None = None  # when the job stops before its end
