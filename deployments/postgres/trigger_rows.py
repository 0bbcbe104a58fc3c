"""From the rows of pg_trigger to the values of the model."""

from collections.abc import Iterable, Mapping
from typing import Any

from checks.model import Firing, Name
from checks.model.steps.triggers import fired_by


def triggers_of(rows: Iterable[Mapping[str, Any]], own: Mapping[int, str]) -> dict[str, Any]:
    """Return what a `Relation` has of its triggers. `own` are its columns by their numbers."""
    functions, firings = {}, {}
    for row in rows:
        name = row["name"]
        functions[name] = Name(row["function_schema"], row["function"])
        columns, named = (frozenset(own[one] for one in row[part] or () if one in own) for part in ("columns", "names"))
        firings[name] = Firing(name, fired_by(row["events"]), columns, named - columns)
    return {"triggers": functions, "firings": firings}
