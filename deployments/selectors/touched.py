"""The tables that a plan names or locks, as last observed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checks.names import split
from deployments.models import Database, Observation


@dataclass(frozen=True, slots=True)
class Relation:
    """A table that the plan names or locks, as last observed; None where that is not known.

    `lock` is the strongest that stops reads or writes, "" when none does.
    """

    name: str
    size_bytes: int | None
    rows: int | None
    lock: str


def relations_of(plan: Mapping[str, Any], observed: Mapping[Database, Observation | None]) -> tuple[Relation, ...]:
    """Return what the plan names or locks, with its size in the first database of the plan."""
    seen = next((one for one in observed.values() if one is not None), None)
    sizes = seen.sizes if seen else {}
    modes = dict(plan.get("locks", ()))  # a plan of an older format has none
    found = []
    for name in plan["touches"]:
        written = ".".join(part for part in split(name) if part)
        entry: Mapping[str, int | None] = sizes.get(written) or next(
            (sizes[key] for key in sizes if key.partition(".")[2] == written), {}
        )
        found.append(Relation(name, entry.get("bytes"), entry.get("rows_estimated"), modes.get(name, "")))
    return tuple(found)
