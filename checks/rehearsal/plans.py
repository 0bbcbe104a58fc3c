"""Whether queries are planned worse after a migration than before it, by what EXPLAIN says.

A plan is an estimate of the server from statistics of the clone; nothing is run. Costs are in the server's own unit:
one page that is read in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

LARGE_BYTES = 8 * 2**20  # as PostgreSQL has it: from here on a scan is worth helpers (min_parallel_table_scan_size)
COST_RATIO = 2.0
LEAST_COST = 1_000.0  # below it a query is quick, however many times as much as before: about eight megabytes read


@dataclass(frozen=True, slots=True)
class Planned:
    """How a server would answer a query: its cost, and the tables that it would read whole, as schema.name.

    `why` is set where it cannot be planned, in words without a value.
    """

    cost: float = 0.0
    scans: frozenset[str] = frozenset()
    why: str = ""


@dataclass(frozen=True, slots=True)
class PlanChange:
    """One query that is answered worse, or not any more, in a sentence without a full stop."""

    query: str
    sentence: str


def planned(explained: list[dict[str, Any]]) -> Planned:
    """Return what an EXPLAIN (FORMAT JSON, VERBOSE) says."""
    root = explained[0]["Plan"]
    scans = (
        f"{one.get('Schema', '')}.{one['Relation Name']}"
        for one in _nodes(root)
        if one["Node Type"] == "Seq Scan" and "Relation Name" in one
    )
    return Planned(float(root["Total Cost"]), frozenset(scans))


def changed(query: str, before: Planned, after: Planned, sizes: Mapping[str, int]) -> Iterator[PlanChange]:
    """Yield what became worse about a query. `sizes` are the bytes of tables, as schema.name; others are small.

    A query that could not be planned before says nothing.
    """
    if before.why:
        return
    if after.why:
        yield PlanChange(query, f"cannot be planned any more: {after.why}")
        return
    for table in sorted(after.scans - before.scans):
        if sizes.get(table, 0) >= LARGE_BYTES:
            yield PlanChange(query, f"reads {_shown(table)} whole now, which it did not")
    if after.cost >= LEAST_COST and after.cost >= COST_RATIO * max(before.cost, 1.0):
        ratio = after.cost / max(before.cost, 1.0)
        yield PlanChange(query, f"costs {ratio:,.1f} times as much: {after.cost:,.0f} instead of {before.cost:,.0f}")


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def _shown(table: str) -> str:
    return table.removeprefix("public.")
