"""A plan as a pure function of stored migrations, the latest observations and the policy. Nothing is written here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checks.budget import Budget
from checks.errors import CheckError
from checks.finding import Finding
from checks.integrity.questions import expectations
from checks.layouts.split_names import forward_path
from checks.policy import Requirements
from checks.schema import fingerprint, touched
from checks.words import plural
from deployments.errors import DeploymentError
from deployments.judging import Judged
from deployments.models import Database, Environment, Migration, Observation, Script

FORMAT = 7
"""Since 4 a plan has the locks and the findings that are ignored; since 5 windows, collisions, batches, and a budget of
its own with limits for the server; since 6 up to which size a backup is restored first; since 7 who makes it, and up to
which size a sample of it is compared, after which failures it is rolled back by itself, and of a way back whether one
person takes it alone. An older plan is read as having none of what came later.
"""


SPLIT = "mixed-transaction"
"""The finding whose way out is written out in full: files that can be copied."""


class NothingToDo(DeploymentError):
    """Everything is applied already."""

    code = "nothing-to-apply"

    def __init__(self, *, environment: str, count: int) -> None:
        everything = plural(count, "the one migration", f"all {count} migrations")
        super().__init__(
            f"{environment} already has {everything} of the release. Nothing was planned. "
            "Sync the application if you expected a new one."
        )


class NotObserved(DeploymentError):
    """A database was never read."""

    code = "not-observed"

    def __init__(self, *, database: str) -> None:
        super().__init__(
            f"{database} was never read, so nothing can be planned for it. Nothing was changed. "
            f"Run: manage.py observe {database}"
        )


class NoDatabases(DeploymentError):
    """The environment has no database."""

    code = "no-databases"

    def __init__(self, *, environment: str) -> None:
        super().__init__(f"{environment} has no database. Nothing was planned. Add one first.")


@dataclass(frozen=True, slots=True)
class Edit:
    """A migration whose forward file is not what was applied: the file, and the two checksums as its tool has them."""

    name: str
    path: str
    applied: str
    released: str


def edits_in(release: Sequence[Migration], history: Sequence[Mapping[str, str]], *, layout: str) -> list[Edit]:
    """Return which migrations of a release were edited after they were applied, in the order of the release."""
    applied = {entry["name"]: entry["checksum"] for entry in history}
    return [
        Edit(one.name, forward_path(layout, one.name), applied[one.name], one.checksum)
        for one in release
        if applied.get(one.name, one.checksum) != one.checksum
    ]


class EditedAfterApplied(DeploymentError):
    """The forward bytes of an applied migration are not what was applied."""

    code = "edited-after-applied"

    def __init__(self, *, edits: Sequence[Edit], database: str) -> None:
        told = ", ".join(f"{one.name} ({one.path}: applied {one.applied}, now {one.released})" for one in edits)
        super().__init__(
            f"Applied in {database}, but changed in the source since: {told}. Nothing was planned: "
            "nobody can say what the database has. Restore the applied text, and put the change into a new migration."
        )


class HistoryUnknown(DeploymentError):
    """The database has migrations that the release does not have."""

    code = "history-unknown"

    def __init__(self, *, names: Sequence[str], database: str) -> None:
        super().__init__(
            f"{database} has migrations that the release does not have: {', '.join(names)}. Nothing was planned. "
            "Sync the branch that was deployed there, or find out who applied them."
        )


class OutOfOrder(DeploymentError):
    """A pending migration stands before an applied one."""

    code = "out-of-order"

    def __init__(self, *, names: Sequence[str], applied: str, database: str) -> None:
        super().__init__(
            f"In {database}, {applied} is applied, but earlier ones are not: {', '.join(names)}. Nothing was planned. "
            "Give them a version after the applied ones."
        )


class DatabasesDiffer(DeploymentError):
    """The databases of one environment do not have the same history."""

    code = "databases-differ"

    def __init__(self, *, one: str, other: str) -> None:
        super().__init__(
            f"{one} and {other} do not have the same migrations applied. Nothing was planned. "
            "Bring them to the same point first, each in a run of its own."
        )


class RollbackMissing(DeploymentError):
    """A migration has no way back."""

    code = "rollback-missing"

    def __init__(self, *, names: Sequence[str]) -> None:
        super().__init__(
            f"Without a rollback script: {', '.join(names)}. Nothing was planned: the policy asks for one with every "
            "migration here. Add the rollback file and sync."
        )


class PlanBlocked(DeploymentError):
    """A script holds something that is not run as it stands."""

    code = "plan-blocked"

    def __init__(self, *, blocking: Sequence[tuple[str, Finding]]) -> None:
        self.blocking = blocking
        lines = "\n".join(
            f"  {name}, line {one.line}: {one.message} ({one.code}) {one.help}"
            + (f"\n\n{one.rewrite}\n" if one.code == SPLIT and one.rewrite else "")
            for name, one in blocking
        )
        super().__init__(f"Nothing was planned, because these must change first:\n{lines}")


class ChecksUnreadable(DeploymentError):
    """A verify or smoke script says nothing that could be checked."""

    code = "checks-unreadable"

    def __init__(self, *, script: str, problem: str) -> None:
        super().__init__(f"{script} cannot be used. Nothing was planned. {problem}")


def pending(release: Sequence[Migration], observation: Observation) -> list[Migration]:
    """Return the migrations of a release that a database does not have, in order.

    Raises EditedAfterApplied, HistoryUnknown, OutOfOrder: then what the database has is not what the release says.
    """
    database = str(observation.database)
    applied = {entry["name"]: entry["checksum"] for entry in observation.history}
    known = {one.name for one in release}
    if unknown := sorted(set(applied) - known):
        raise HistoryUnknown(names=unknown, database=database)
    layout = observation.database.environment.application.layout
    if edits := edits_in(release, observation.history, layout=layout):
        raise EditedAfterApplied(edits=edits, database=database)
    missing = [one for one in release if one.name not in applied]
    places = [place for place, one in enumerate(release) if one.name in applied]
    last = places[-1] if places else -1
    if early := [one.name for place, one in enumerate(release) if place < last and one.name not in applied]:
        raise OutOfOrder(names=early, applied=release[last].name, database=database)
    return missing


def require_readable_checks(migrations: Sequence[Migration], smoke: Script | None) -> None:
    """Raise ChecksUnreadable for a verify or smoke script that cannot fail, writes, or cannot be read."""
    scripts = [(f"The verify script of {one.name}", one.verify, True) for one in migrations]
    for script, stored, may_compare in (*scripts, ("smoke.sql", smoke, False)):
        if stored is not None:
            try:
                expectations(stored.text(), may_compare=may_compare)
            except CheckError as refused:
                raise ChecksUnreadable(script=script, problem=str(refused)) from refused


def plan_content(
    environment: Environment,
    *,
    kind: str,
    migrations: Sequence[Migration],
    observations: Mapping[Database, Observation],
    judged: Judged,
    needs: Requirements,
    verify: Mapping[str, str | None],
    smoke: str | None,
    health: Mapping[str, Any] | None,
    budget: Budget,
    lane: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what the digest is over: what would run, where, on which state of the world, under which rules.

    What drifts by itself every day (row estimates, objects that are not touched) is not in it.
    """
    return {
        "format": FORMAT,
        "kind": kind,
        "application": environment.application.slug,
        "environment": environment.slug,
        "migrations": [
            {
                "name": one.name,
                "checksum": one.checksum,
                "forward": one.forward_id,
                "rollback": one.rollback_id,
                "verify": verify[one.name],
            }
            for one in migrations
        ],
        "databases": [
            {
                "id": database.pk,
                "name": database.name,
                "system_identifier": seen.system_identifier,
                "database_name": seen.database_name,
                "history": seen.history_hash,
                "touched": fingerprint(touched(seen.objects_by_name, judged.relations)),
            }
            for database, seen in observations.items()
        ],
        "smoke": smoke,
        "health": health,
        "touches": sorted(judged.relations),
        "locks": [list(one) for one in judged.locks],
        "accepted": [list(one) for one in judged.accepted],
        "batches": [dict(one) for one in judged.batches],
        "class": judged.risk.value,
        "requirements": needs.as_plan(),
        "budget": dict(budget),
        **({} if lane is None else {"lane": dict(lane)}),
    }
