"""Batched statements in a run: are they those of the plan, how far are they, what is kept of them."""

from collections.abc import Iterable, Mapping
from typing import Any

from checks.batch import Batch
from deployments.pipelines.contract import PlanMoved, StepContext
from deployments.postgres.batches.progress import Told
from deployments.postgres.script import Script


def require_batches_as_planned(ctx: StepContext, scripts: Iterable[Script]) -> None:
    """Raise PlanMoved unless what would be sent for a batch is, to the letter, what the plan was approved with.

    The author's statement is in the plan by its hash; the range is added by this program, which may be a newer one.
    """
    sent = [
        {"migration": script.entry.migration, **_planned(one.number, one.batch)}
        for script in scripts
        for one in script.sent
        if one.batch is not None
    ]
    if sent != ctx.plan.get("batches", []):
        raise PlanMoved(target=ctx.target.name, what="what would be sent for a batch is not what the plan says")


def are_planned(plan: Mapping[str, Any]) -> bool:
    """Return whether a plan runs a statement in batches."""
    return bool(plan.get("batches"))


class KeptBatches:
    """What was told last of each batched statement of a step, for its evidence."""

    def __init__(self) -> None:
        """Begin without any."""
        self._told: dict[tuple[str, int], dict[str, Any]] = {}

    def keep(self, migration: str, told: Told) -> None:
        """Keep how far a statement is."""
        self._told[migration, told.position] = {"migration": migration, **told.as_evidence()}

    def as_evidence(self) -> dict[str, Any]:
        """Return it as JSON values; nothing where nothing was batched."""
        return {"batches": list(self._told.values())} if self._told else {}


def _planned(number: int, batch: Batch) -> dict[str, Any]:
    return {"statement": number, "table": batch.table, "key": list(batch.key), "size": batch.size, "sql": batch.sql}
