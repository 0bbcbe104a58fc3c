"""What each statement of a plan took on a clone, and what that lets one expect of the target: beside its judgement."""

from collections import defaultdict
from collections.abc import Mapping

from checks.rehearsal.proof import here
from deployments.models import Database, MigrationRun, Observation
from deployments.models.run import RunKind
from deployments.selectors.history import latest_observation
from deployments.selectors.rehearsals import proofs_of

DIRECTIONS = {RunKind.DEPLOY: "forward", RunKind.ROLLBACK: "rollback"}

Told = Mapping[str, Mapping[int, str]]
"""Migration -> line in which a statement begins -> words."""


def clone_times(run: MigrationRun) -> Told:
    """Return what the statements of a run took on a clone, by migration and line; what was not rehearsed is not there.

    Of a rollback it is what the rehearsal of the run that it takes back has found.
    """
    direction, rehearsed = DIRECTIONS.get(RunKind(run.kind), ""), run
    if run.kind == RunKind.ROLLBACK and run.reverts is not None:
        rehearsed = run.reverts
    if not direction:
        return {}
    found: defaultdict[str, dict[int, str]] = defaultdict(dict)
    proofs = [one for one in proofs_of(rehearsed) if one.proof is not None]
    for one in proofs:
        target_bytes = bytes_of(one.database)
        place = f"{one.database.name}: " if len(proofs) > 1 else ""
        for traced in one.proof.traced if one.proof else ():
            if traced.direction == direction:
                words = here(traced, clone_bytes=one.proof.clone_bytes if one.proof else 0, target_bytes=target_bytes)
                told = found[traced.migration]
                told[traced.line] = "; ".join(filter(None, (told.get(traced.line), f"{place}{words}")))
    return found


def bytes_of(database: Database) -> int | None:
    """Return how many bytes the tables and indexes of a database took when it was last read; None if it never was."""
    return bytes_in(latest_observation(database))


def bytes_in(seen: Observation | None) -> int | None:
    """Return how many bytes the tables and indexes of a reading take; None if that was not read."""
    schema = seen.schema_model() if seen else None
    if schema is None:
        return None
    sizes = [one.size for one in schema.relations.values() if one.size is not None]
    return sum(one.bytes + one.index_bytes for one in sizes)
