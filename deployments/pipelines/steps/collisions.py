"""Before anything begins: what the migration would run into is named, and waited for or refused as the policy says."""

import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from checks.policy import Requirements
from checks.policy.collisions import Response
from deployments.errors import DeploymentError
from deployments.models.run import RunKind
from deployments.pipelines.asking import patiently
from deployments.pipelines.contract import StepContext
from deployments.pipelines.steps.migrate import Migrate
from deployments.postgres.collisions import Met, Plan, collisions, untold
from deployments.postgres.connect import Session, session
from deployments.postgres.ledger import FORWARD, ROLLBACK

LOOK_SECONDS = 2.0
NAMED = 3  # in one sentence; all of them are in the evidence and in the log


class CollisionAhead(DeploymentError):
    """Something stands in the way, and the policy says not to begin."""

    code = "collision-ahead"

    def __init__(self, *, target: str, met: list[Met], waited: float) -> None:
        after = f" and still was after {waited:.0f} s" if waited else ""
        more = f", and {len(met) - NAMED} more" if len(met) > NAMED else ""
        super().__init__(
            f"In the way on {target}{after}: {'; '.join(one.text for one in met[:NAMED])}{more}. "
            "Nothing was changed there. Wait until it is gone or see to it, then ask for a new run."
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found at the last look, and how long it was waited for, in seconds."""

    met: list[Met] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    waited: float = 0.0

    def as_evidence(self) -> dict[str, Any]:
        """Return it as JSON values; durations in seconds."""
        return {
            "met": [one.as_evidence() for one in self.met],
            "untold": self.untold,
            "waited_seconds": round(self.waited, 1),
        }

    def in_words(self) -> list[str]:
        """Return what a person has to know of it, as sentences; nothing if nothing was in the way."""
        told = [f"Waited {self.waited:.0f} s for what was in the way."] if self.waited >= 1 else []
        meant = [one for one in self.met if one.is_in_the_way]
        if meant:
            told.append(f"In the way: {'; '.join(map(str, meant[:NAMED]))}" + "…" * (len(meant) > NAMED) + ".")
        return told


def see_to_collisions(ctx: StepContext) -> Seen:
    """Return what was found, once nothing is left that the policy waits for or refuses.

    Raises CollisionAhead, and what the control (a pause too) and the connection raise.
    A way back is warned, never held up.
    """
    needs = Requirements.of_plan(ctx.plan["requirements"])
    plan = _plan(ctx)
    began = time.monotonic()
    told: set[str] = set()
    while True:
        seen = patiently(ctx, lambda opened: (collisions(opened, plan), untold(opened)), opening=lambda: _look(ctx))
        met, not_told = seen
        for one in met:
            if (line := f"{one.kind}: {one}") not in told and len(told) < 200:  # noqa: PLR2004 # lines of a log
                told.add(line)
                ctx.log(f"May stand in the way, {line}")
        waited = time.monotonic() - began
        refused, awaited = (
            [one for one in met if one.is_in_the_way and needs.collisions[one.kind] is response]
            for response in (Response.REFUSE, Response.WAIT)
        )
        if refused or (awaited and waited >= needs.collision_wait_seconds):
            raise CollisionAhead(target=ctx.target.name, met=refused or awaited, waited=0 if refused else waited)
        if not awaited:
            return Seen(met, not_told, waited if told and waited >= LOOK_SECONDS else 0.0)
        ctx.progress(
            {
                "collisions": [one.text for one in awaited],
                "waited_seconds": round(waited),
                "of_seconds": needs.collision_wait_seconds,
            }
        )
        ctx.control.rest(LOOK_SECONDS)
        ctx.control.require_may_go_on("while it waited for what is in the way")


def _look(ctx: StepContext) -> AbstractContextManager[Session]:
    return session(ctx.target, name=ctx.holder.session_name)


def _plan(ctx: StepContext) -> Plan:
    direction = ROLLBACK if ctx.plan["kind"] == RunKind.ROLLBACK else FORWARD
    budget = ctx.plan["budget"]
    return Plan(
        touches=frozenset(ctx.plan["touches"]),
        waits_for_all=any(not one.transactional for one in Migrate(direction).scripts(ctx)),
        replica_seconds=budget.get("replica_seconds"),
        free_disk_bytes=budget.get("free_disk_bytes"),
    )
