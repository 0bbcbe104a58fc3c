"""How fast the rehearsals of an environment found its statements to work, and what one rehearsal shows of that."""

from collections.abc import Iterator, Mapping
from typing import Any

from checks.durations import Rates
from checks.rehearsal.proof import Proof
from checks.rehearsal.rates import Measured, measured, own_rates
from deployments.judging import contexts_of, world_of
from deployments.models import Database, Environment, Rehearsal, Script
from deployments.selectors.history import latest_observation
from deployments.selectors.judged import applied_scripts

NEWEST = 50  # rehearsals that count: a server that was replaced is forgotten


def rates_of(environment: Environment) -> Rates:
    """Return how fast this environment works: measured where rehearsals showed it often enough, else as everywhere."""
    kept = Rehearsal.objects.filter(job__database__environment=environment, proof__measured__0__isnull=False)
    shown = kept.order_by("-id").values_list("proof__measured", flat=True)[:NEWEST]
    return own_rates(Measured(**one) for each in shown for one in each)


def rates_shown(database: Database, plan: Mapping[str, Any], proof: Proof) -> Iterator[Measured]:
    """Yield the rates that the forward statements of a rehearsal showed, by the sizes that were last observed."""
    seen = latest_observation(database)
    if seen is None:
        return
    took = {(one.migration, one.line): one.seconds for one in proof.traced if one.direction == "forward"}
    texts = [(entry["name"], Script.objects.get(pk=entry["forward"]).text()) for entry in plan["migrations"]]
    for name, context in contexts_of(texts, world_of(seen, applied_scripts(seen))):
        yield from measured(context, {line: seconds for (of, line), seconds in took.items() if of == name})
