"""What a deployment to a database would meet, found out by reading alone, before anything is installed."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from checks.context import Seen
from checks.finding import Report
from checks.layouts import MigrationFiles
from checks.model.saved import NUMBERS_PER_MAJOR
from checks.output import Judged, Outcome
from checks.project.following import Project, Start, judged, placed
from deployments.postgres.activity import LongTransaction
from deployments.postgres.connect import Session, Target
from deployments.postgres.history import Applied
from deployments.postgres.trial import Rights, ask


@dataclass(frozen=True, slots=True)
class Trial:
    """What was found. `pending` is None where the tool's history cannot be read: then nothing is judged."""

    layout: str
    server_version: int
    tables: int
    pending: tuple[str, ...] | None
    drift: tuple[str, ...]
    outcome: Outcome
    long: tuple[LongTransaction, ...]
    rights: Rights


def look(opened: Session, target: Target, project: Project) -> Trial:
    """Return what a deployment of the project's migrations would meet. Nothing is written.

    Raises what `ask` raises, and what the files raise.
    """
    layout, version = project.layout.name, opened.info.server_version
    asked = ask(opened, target, layout)
    schema, applied = asked.schema, asked.applied
    done = {} if applied is None else _matched(project.migrations, applied)
    outcome, pending = Outcome(()), None
    if applied is not None:
        pending = tuple(one.name for one in project.migrations if one.name not in done)
        start = Start(version // NUMBERS_PER_MAJOR, schema, frozenset(done), is_sized=True)
        found = tuple(judged(project, start))
        outcome = Outcome(found, placed(project), start.version, sized=True, passed_over=len(done))
    return Trial(
        layout=layout,
        server_version=version,
        tables=sum(one.is_table for one in schema.relations.values()),
        pending=pending,
        drift=() if applied is None else tuple(_drift(project, applied, done)),
        outcome=outcome,
        long=asked.long,
        rights=_needed(asked.rights, outcome),
    )


def _matched(migrations: Sequence[MigrationFiles], applied: Iterable[Applied]) -> dict[str, Applied]:
    """Return the migrations that are applied, each with its row: by its name, else by its version."""
    named = {one.name: one for one in applied}
    versions = {_version(name): one for name, one in named.items()}
    found = {one.name: named.get(one.name) or versions.get(_version(one.version)) for one in migrations}
    return {name: row for name, row in found.items() if row is not None}


def _version(written: str) -> tuple[str, ...]:
    """Return a version so that `001` is `1`, and `1_2` is `1.2`."""
    return tuple(part.lstrip("0") or "0" for part in re.split(r"[._]", written))


def _drift(project: Project, applied: Iterable[Applied], done: dict[str, Applied]) -> Iterable[str]:
    """Yield how history and files differ."""
    matched = {one.name for one in done.values()}
    for row in applied:
        if row.name not in matched:
            yield f"{row.name} is applied there, and is not among the files"
    for migration in project.migrations:
        applied_as = done.get(migration.name)
        if applied_as and applied_as.checksum and applied_as.checksum != project.layout.checksum(migration.forward):
            yield f"{migration.name} is applied there with another content than the file has now"


def _seen(one: Judged) -> tuple[Seen, ...]:
    return one.report.seen if isinstance(one.report, Report) else ()


def _needed(rights: Rights, outcome: Outcome) -> Rights:
    """Return the rights without those for relations that no pending script locks so that only their owner may."""
    locked = {lock.relation for one in outcome.judged for seen in _seen(one) for lock in seen.effects.felt}
    missing = (one for one in rights.missing if one.relation is None or one.relation in locked)
    return replace(rights, missing=tuple(missing))
