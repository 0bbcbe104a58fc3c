"""Open runs that touch the same objects of the same databases: which of them comes first decides about the other."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from checks.names import split
from deployments.models import MigrationRun
from deployments.models.run import RunKind

MOST_RUNS = 50  # open ones of one environment that are looked at, oldest first


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another open run, what both touch, and which migrations both would run."""

    run: MigrationRun
    objects: tuple[str, ...]
    migrations: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that both have to do with."""
        return (*self.objects, *self.migrations)


def conflicts_of(run: MigrationRun) -> tuple[Conflict, ...]:
    """Return the other open runs that touch what an open run touches. None once it is over: then nothing is to come."""
    if run.finished_at is not None or run.kind == RunKind.REHEARSAL:
        return ()
    return conflicts_with(run.plan, environment=run.environment_id, without=run.pk)


def conflicts_with(plan: Mapping[str, Any], *, environment: int, without: int | None = None) -> tuple[Conflict, ...]:
    """Return the open runs of an environment that touch what a plan touches, in a database that both change."""
    runs = MigrationRun.objects.filter(environment=environment, finished_at=None)
    found = []
    for other in runs.exclude(kind=RunKind.REHEARSAL).order_by("number")[:MOST_RUNS]:
        theirs = other.plan
        if other.pk == without or not _databases(plan) & _databases(theirs):
            continue
        objects = _same(plan.get("touches", ()), theirs.get("touches", ()))
        names = {one["name"] for one in theirs["migrations"]}
        migrations = tuple(one["name"] for one in plan["migrations"] if one["name"] in names)
        if objects or migrations:
            found.append(Conflict(other, objects, migrations))
    return tuple(found)


def _databases(plan: Mapping[str, Any]) -> set[int]:
    return {one["id"] for one in plan["databases"]}


def _same(ours: Iterable[str], theirs: Collection[str]) -> tuple[str, ...]:
    """Return which names mean the same object. A name without a schema may mean one of any schema."""
    return tuple(sorted({name for name in ours if any(_are_same(name, other) for other in theirs)}))


def _are_same(one: str, other: str) -> bool:
    (schema, name), (other_schema, other_name) = _parts(one), _parts(other)
    return name == other_name and (not schema or not other_schema or schema == other_schema)


def _parts(name: str) -> tuple[str, str]:
    parts = [part for part in split(name) if part]
    return (parts[-2] if len(parts) > 1 else "", parts[-1] if parts else name)
