"""Worlds for tests: made by SQL from nothing, with the sizes and the traffic that a test gives."""

from dataclasses import replace

from checks.context import Context, World
from checks.model import EMPTY, Size, Traffic
from checks.model.replay import replay_script
from checks.report import follow
from checks.statements import parse

MB, GB = 10**6, 10**9


def world(sql: str, *, size: int | None = None, rows: int | None = None, traffic: Traffic | None = None) -> World:
    """Return what SQL makes, every relation of this size in bytes."""
    schema = replay_script(EMPTY, parse(sql))
    assert schema.doubts == ()
    sized = Size(size, rows=rows) if size is not None else None
    relations = {name: replace(one, size=sized, traffic=traffic) for name, one in schema.relations.items()}
    return World(replace(schema, relations=relations))


def seen_in(sql: str, given: World) -> Context:
    """Return a script as it is followed in a world."""
    return follow(parse(sql), given)
