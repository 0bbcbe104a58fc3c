"""The review of one migration of a project, out of what its judgement already followed."""

from __future__ import annotations

from dataclasses import replace

from checks.context import Context, World
from checks.errors import Unparsable
from checks.finding import Report
from checks.layouts import Layout, MigrationFiles, text_of
from checks.model import Schema
from checks.phases import contracts_of
from checks.project.remembered import Remembered
from checks.report import Part, follow
from checks.reviewing.checklist import Followed
from checks.reviewing.review import Review, review
from checks.reviewing.values import Subject
from checks.statements import parse


def review_of(
    layout: Layout,
    migration: MigrationFiles,
    world: World,
    reports: dict[Part, Report | Remembered],
    *,
    old: Schema | None = None,
) -> Review:
    """Return the review of a migration that meets this world.

    `reports` are the judgements of its scripts: what they followed is not followed again. `old` is the schema before
    the first of several that go out together. Whether the time of a declared contract has come is not known here.
    """
    forward = _followed(layout, migration, Part.FORWARD, world, reports)
    rollback = None
    if migration.rollback is not None:
        wraps = migration.is_rollback_transactional is not False
        after = forward.after if isinstance(forward, Context) else world.schema
        behind = replace(world, schema=after, wraps_in_transaction=wraps)
        rollback = _followed(layout, migration, Part.ROLLBACK, behind, reports)
    contracts = contracts_of([(migration.name, forward)]) if isinstance(forward, Context) else ()
    made = reports[Part.FORWARD]
    return review(
        Subject(migration, world, old=old, contracts=contracts),
        forward,
        rollback,
        estimated=made.estimates if isinstance(made, Report) else None,
    )


def _followed(
    layout: Layout,
    migration: MigrationFiles,
    part: Part,
    world: World,
    reports: dict[Part, Report | Remembered],
) -> Followed:
    made = reports.get(part)
    if isinstance(made, Report):
        known = made.context or made.unparsable
        if known is not None:
            return known
    try:
        return follow(parse(text_of(layout, migration, part)), world)
    except Unparsable as refused:
        return refused
