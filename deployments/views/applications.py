"""An application: which migration is where, how its environments are, and what a migration holds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from checks.context import World
from checks.finding import Report
from checks.report import NOWHERE, Part, judge
from deployments.authority import Action, Decision, eligible, may, seen_environments
from deployments.models import Application, Contact, DatamodelCheck, Environment, HealthCheck, Migration, Script, User
from deployments.selectors.classes import world_before
from deployments.selectors.matrix import Column, Matrix, matrix, newest_reading
from deployments.selectors.readings import Reading
from deployments.selectors.rules import in_force
from deployments.views.base import PageRequest, page
from deployments.views.signs import FINDINGS
from deployments.views.sql import Mark

MOST_ROWS = 50
NAMES = {"forward": "Forward", "rollback": "Rollback", "verify": "Verify"}
BEHIND = "git-commit-horizontal"  # a dashed circle would say that we do not know
FEW = 2  # environments that fit into one sentence


@dataclass(frozen=True, slots=True)
class Standing:
    """An environment as its panel shows it: its databases, its health check, and whether a run may be asked for."""

    environment: Environment
    columns: tuple[Column, ...]
    readings: tuple[Reading, ...]
    check: HealthCheck | None
    door: Decision
    who: Sequence[User]  # can ask for a run, if this person cannot


@dataclass(frozen=True, slots=True)
class Say:
    """The verdict of an application. `state` is the name of a sign, `icon` another symbol than its own."""

    state: str
    say: str
    then: str
    icon: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """One script of a migration, with what the checks say about it."""

    part: str
    name: str
    text: str
    sha256: str
    report: Report
    marks: tuple[Mark, ...]


@require_safe
def application(request: PageRequest, slug: str) -> HttpResponse:
    """Show the migrations of an application against its environments. `all=1` shows every migration."""
    found, environments = _seen(request, slug)
    wants_all = request.GET.get("all") == "1"
    table = matrix(found, environments=environments, most=None if wants_all else MOST_ROWS)
    names = [_head(one, table.columns) for one in table.columns]
    standings = [_standing(request.user, one, table) for one in environments]
    contacts = Contact.objects.filter(application=found).select_related("environment").order_by("kind", "value")
    context = {
        "application": found,
        "matrix": table,
        "heads": ["Migration", "Class", *names],
        "reads": list(zip(names, table.columns, strict=True)),
        "rows": [(row, list(zip(names, row.cells, strict=True))) for row in table.rows],
        "verdict": verdict_of(table),
        "datamodel": _datamodel(table),
        "has_datamodel": found.layout == "prisma",
        "standings": standings,
        "policies": [in_force(one) for one in environments],
        "contacts": [one for one in contacts if one.environment is None or one.environment in environments],
        "is_cut": len(table.rows) < table.count,
    }
    return page(request, "applications/application", context)


@require_safe
def migration(request: PageRequest, slug: str, pk: int) -> HttpResponse:
    """Show what a migration holds, what the checks say about it, and where it is applied."""
    found, environments = _seen(request, slug)
    stored = (
        Migration.objects.filter(application=found, pk=pk)
        .select_related("forward", "rollback", "verify", "notes")
        .first()
    )
    if stored is None:
        raise Http404
    others = Migration.objects.filter(application=found, name=stored.name).exclude(pk=pk).order_by("-pk")
    table = matrix(found, environments=environments)
    row = next((one for one in table.rows if one.migration.pk == pk), None)
    context = {
        "application": found,
        "migration": stored,
        "scripts": _scripts(stored, _world(stored, table)),
        "missing": [name for part, name in NAMES.items() if getattr(stored, part) is None],
        "notes": stored.notes.text() if stored.notes else "",
        "others": others,
        "cells": list(zip(table.columns, row.cells, strict=True)) if row else [],
        "release": table.release,
    }
    return page(request, "applications/migration", context)


def verdict_of(table: Matrix) -> Say:
    """Return whether the databases of an application are as its release says."""
    if table.release is None:
        return Say("not-measured", "Nothing was synced yet.", "So nobody knows which migrations there should be.")
    if not table.columns:
        return Say("queued", "There is no database yet that you may see.", "", BEHIND)
    unread = [one for one in table.columns if one.observation is None]
    drifted = [one for one in table.columns if one.foreign or one.edited]
    behind = [one for one in table.columns if one.pending and one not in drifted]
    told = [
        *(f"{one.database.environment.slug} is not as released" for one in drifted),
        *(f"{one.database.environment.slug} is {one.pending} behind" for one in behind),
        *(f"{one.database.environment.slug} was never read" for one in unread),
    ]
    whole = f"The release has {table.count} migration{'' if table.count == 1 else 's'}."
    if not told:
        return Say("succeeded", "Every database has what the release has.", whole)
    say = "; ".join(told[:FEW]) + (f"; {len(told) - FEW} more" if len(told) > FEW else "") + "."
    state = "drift" if drifted else "not-measured" if unread else "queued"
    return Say(state, say[0].upper() + say[1:], whole, BEHIND if state == "queued" else "")


def _datamodel(table: Matrix) -> DatamodelCheck | None:
    """Return what is known of whether the newest release produces its data model."""
    return table.release.datamodel_checks.order_by("-id").first() if table.release else None


def _seen(request: PageRequest, slug: str) -> tuple[Application, list[Environment]]:
    """Return an application and those of its environments that this person may see.

    Raises Http404 for one that is not there, or of which they may see nothing.
    """
    found = Application.objects.filter(slug=slug).first()
    if found is None:
        raise Http404
    environments = list(
        seen_environments(request.user).filter(application=found).select_related("application").order_by("rank")
    )
    if not environments and not may(request.user, Action.VIEW, found):
        raise Http404
    return found, environments


def _standing(user: User, environment: Environment, table: Matrix) -> Standing:
    columns = tuple(one for one in table.columns if one.database.environment_id == environment.pk)
    door = may(user, Action.REQUEST, environment)
    return Standing(
        environment=environment,
        columns=columns,
        readings=tuple(Reading(one.database, one.observation) for one in columns),
        check=HealthCheck.objects.filter(environment=environment).first(),
        door=door,
        who=[] if door else eligible(Action.REQUEST, environment),
    )


def _head(column: Column, columns: Sequence[Column]) -> str:
    """Return how a column is called: its environment, and the database where there are several."""
    place = column.database.environment.slug
    several = sum(one.database.environment_id == column.database.environment_id for one in columns) > 1
    return f"{place} / {column.database.name}" if several else place


def _world(stored: Migration, table: Matrix) -> World:
    """Return the schema that a migration meets; an unknown one where the release does not have it."""
    if table.release is None or all(row.migration != stored for row in table.rows):
        return NOWHERE
    return world_before(stored, table.release, newest_reading(table.columns))


def _scripts(stored: Migration, world: World) -> list[Shown]:
    """Return the scripts of a migration, each judged where it runs: all but the first on what that leaves behind."""
    shown = []
    for part in NAMES:
        script = getattr(stored, part)
        if script is not None:
            shown.append(_shown(part, script, world))
            world = replace(world, schema=shown[0].report.after)
    return shown


def _shown(part: str, script: Script, world: World) -> Shown:
    text = script.text()
    report = judge(text, part=Part(part), world=world)
    marks = tuple(Mark(one.line, one.line, FINDINGS[one.severity].kind) for one in report.findings)
    return Shown(part, NAMES[part], text, script.sha256, report, marks)
