"""What is proven about the way back of a plan, on each of its databases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checks.rehearsal.proof import Outcome, Proof, scripts_digest
from deployments.models import Database, MigrationRun, Rehearsal
from deployments.models.run import RunKind
from deployments.selectors.rail import NOT_PROVEN, PROVEN
from deployments.states import RUN_ACTIVE, RunState


@dataclass(frozen=True, slots=True)
class Proven:
    """What the newest rehearsal of a plan's scripts says of one database; `proof` is None where there is none."""

    database: Database
    proof: Proof | None = None
    run: MigrationRun | None = None  # the rehearsal
    made_at: datetime | None = None

    @property
    def is_proven(self) -> bool:
        """Whether the way back was tried, and does what it says."""
        return self.proof is not None and self.proof.outcome is not Outcome.NOT_PROVEN


@dataclass(frozen=True, slots=True)
class Rehearsing:
    """What a page shows of the way back of a run: the proofs, and a rehearsal that is under way."""

    proofs: tuple[Proven, ...]
    open: MigrationRun | None
    may_be_asked: bool  # of this run, by somebody who may ask for runs at all
    has_server: bool


def proved(run: MigrationRun) -> str:
    """Return the sign of what a rehearsal proved on all its databases; "" for one that is not over, and other runs."""
    if run.kind != RunKind.REHEARSAL or run.state != RunState.SUCCEEDED:
        return ""
    return NOT_PROVEN if any(one.rehearsal.outcome == Outcome.NOT_PROVEN for one in run.jobs.all()) else PROVEN


def scripts_of(plan: Mapping[str, Any]) -> str:
    """Return what a proof of this plan's scripts is bound to. A script's address is its SHA-256."""
    return scripts_digest(
        (entry["name"], direction, entry[direction])
        for entry in plan["migrations"]
        for direction in ("forward", "rollback")
        if entry[direction]
    )


def proofs_of(run: MigrationRun, migrations: Sequence[Mapping[str, Any]] | None = None) -> tuple[Proven, ...]:
    """Return what is proven about the scripts of a deploy run, for each database of its plan, in its order.

    `migrations` are other scripts for the same run, as a plan names them.
    """
    told = run.plan if migrations is None else {"migrations": migrations}
    ids = [entry["id"] for entry in run.plan["databases"]]
    databases = Database.objects.in_bulk(ids)
    found = (
        Rehearsal.objects.filter(scripts=scripts_of(told), job__database__in=ids)
        .select_related("job__run")
        .order_by("job__database", "-id")
        .distinct("job__database")
    )
    newest = {one.job.database_id: one for one in found}
    return tuple(_proven(databases[one], newest.get(one)) for one in ids if one in databases)


def rehearsing(run: MigrationRun) -> Rehearsing | None:
    """Return what is shown of the way back of a deploy run; None for another kind."""
    if run.kind != RunKind.DEPLOY:
        return None
    under_way = MigrationRun.objects.filter(
        kind=RunKind.REHEARSAL, environment=run.environment_id, state__in=sorted(RUN_ACTIVE)
    )
    wanted = scripts_of(run.plan)
    return Rehearsing(
        proofs=proofs_of(run),
        open=next((one for one in under_way.order_by("-number") if scripts_of(one.plan) == wanted), None),
        may_be_asked=run.state == RunState.AWAITING,
        has_server=bool(run.environment.rehearsal_connection),
    )


def unproven(run: MigrationRun, *, since: datetime) -> str:
    """Return why the way back of a deploy run is not proven well enough, as a sentence; "" where it is.

    A proof from before `since` is too old: the data has changed meanwhile. Where no rehearsal server is named nothing
    can be proven, which a page says, and nothing is asked.
    """
    if not run.environment.rehearsal_connection:
        return ""
    for one in proofs_of(run):
        if one.proof is None or one.made_at is None:
            return f"The way back on {one.database.name} was not rehearsed."
        if not one.is_proven:
            return f"The way back on {one.database.name} is {one.proof.sentence}."
        if one.made_at < since:
            return f"The way back on {one.database.name} was proven too long ago. Rehearse it again."
    return ""


def _proven(database: Database, found: Rehearsal | None) -> Proven:
    if found is None:
        return Proven(database)
    return Proven(database, Proof.of_evidence(found.proof), found.job.run, found.made_at)
