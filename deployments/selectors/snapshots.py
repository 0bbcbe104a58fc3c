"""Schemas as they were kept, as values again, and what differs between two of them."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings

from checks.schema import Difference, IgnoreRules, Snapshot, difference
from checks.schema.recorded import ORDER
from checks.schema.snapshot import FORMAT
from deployments.models import DriftRules, Environment, SchemaRecord, SchemaSnapshot


def ignore_rules(environment: Environment) -> IgnoreRules:
    """Return what is no part of the schema that a database is expected to have: as this installation is set, and as
    somebody decided for its environment.
    """
    configured = settings.CONFIGURATION
    own = rules_of(environment)
    return IgnoreRules(
        partitions=configured.ignored_partitions or own.partitions,
        roles=tuple(dict.fromkeys((*configured.managed_roles, *own.roles))),
        objects=tuple(dict.fromkeys((*configured.ignored_objects, *own.objects))),
    )


def rules_of(environment: Environment) -> IgnoreRules:
    """Return what somebody decided to ignore in one environment, beside what the installation ignores everywhere."""
    newest = DriftRules.objects.filter(environment=environment).order_by("-id").first()
    return IgnoreRules() if newest is None else IgnoreRules.of_data(newest.rules)


def snapshot_of(kept: SchemaSnapshot, names: Iterable[str] | None = None) -> Snapshot:
    """Return a schema as a value; only the named objects of it, if names are given."""
    wanted = kept.objects_by_name
    if names is not None:
        wanted = {name: wanted[name] for name in names if name in wanted}
    records = dict(SchemaRecord.objects.filter(pk__in=set(wanted.values())).values_list("pk", "record"))
    found = {}
    for name, digest in wanted.items():
        order = kept.orders.get(name)
        found[name] = {**records[digest], ORDER: order} if order else records[digest]
    return Snapshot(found, kept.server_version)


def difference_of(
    before: SchemaSnapshot, after: SchemaSnapshot, rules: IgnoreRules | None = None, *, without: str = ""
) -> Difference:
    """Return what differs between two schemas; what is the same in both is not even read.

    `without` is how the names of objects end that are no part of it.
    """
    if before.pk == after.pk:
        return Difference()
    if {before.format, after.format} != {FORMAT}:
        return Difference(why_not_comparable="An earlier version of Locktender recorded one of the two otherwise.")
    changed = _differing(before.objects_by_name, after.objects_by_name) | _differing(before.orders, after.orders)
    if without:
        changed = {name for name in changed if not name.endswith(without)}
    was, now = snapshot_of(before, changed), snapshot_of(after, changed)
    return difference(rules.filtered(was), rules.filtered(now)) if rules else difference(was, now)


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
