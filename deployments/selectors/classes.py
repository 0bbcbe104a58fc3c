"""The classes of the migrations of a release, each on the schema that those before it leave behind."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from checks.context import World
from checks.errors import Unparsable
from checks.model import EMPTY, Name, Schema, Size
from checks.project.following import before_first
from checks.report import follow
from checks.risk import Risk, classify
from checks.statements import parse
from deployments.judging import major_of
from deployments.models import Migration, Observation, Release

KEPT = 16  # releases whose classes are remembered, each with sizes of one order of magnitude

Magnitudes = tuple[tuple[Name, int, int], ...]
"""Relation -> how many binary digits its bytes and its rows have: as long as these stay, so does the class."""


def classes_of(release: Release, read: Observation | None) -> dict[str, Risk]:
    """Return the class of each forward script of a release, by its SHA-256.

    Tables are taken to be about as large as they were when a database was read; without a reading sizes are unknown.
    """
    version, sizes = _magnitudes(read)
    return _classes(release.pk, release.digest, version, sizes)


def world_before(migration: Migration, release: Release, read: Observation | None) -> World:
    """Return the schema that a migration of a release meets, with sizes as `classes_of` takes them."""
    version, sizes = _magnitudes(read)
    for listed, world in _worlds(release, version, sizes):
        if listed.pk == migration.pk:
            return world
    return World(EMPTY, version)


@lru_cache(maxsize=KEPT)
def _classes(release_id: int, _digest: str, version: int, sizes: Magnitudes) -> dict[str, Risk]:
    found = {}
    for migration, world in _worlds(Release.objects.get(pk=release_id), version, sizes):
        try:
            judged = classify(follow(parse(migration.forward.text()), world))
        except Unparsable as error:
            judged = classify(error)
        found[migration.forward_id] = judged.risk
    return found


def _worlds(release: Release, version: int, sizes: Magnitudes) -> Iterator[tuple[Migration, World]]:
    known = {name: Size(bytes=2**size, rows=2**rows) for name, size, rows in sizes}
    schema: Schema | None = None
    for entry in release.entries.select_related("migration__forward"):
        migration = entry.migration
        if schema is None:
            schema = before_first(migration.forward.text(), version)
        world = World(_sized(schema, known), version)
        yield migration, world
        try:
            schema = follow(parse(migration.forward.text()), world).after
        except Unparsable:
            schema = schema.doubting(f"{migration.name} cannot be analysed")


def _sized(schema: Schema, known: dict[Name, Size]) -> Schema:
    relations = {name: replace(one, size=known.get(name)) for name, one in schema.relations.items()}
    return replace(schema, relations=relations)


def _magnitudes(read: Observation | None) -> tuple[int, Magnitudes]:
    schema = read.schema_model() if read else None
    if read is None or schema is None:
        return World(EMPTY).version, ()
    sized = ((one.name, one.size) for one in schema.relations.values() if one.size is not None)
    return major_of(read), tuple((name, size.bytes.bit_length(), (size.rows or 0).bit_length()) for name, size in sized)
