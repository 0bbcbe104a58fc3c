"""Judgements of scripts on the schemas that were read, remembered: a page that polls asks for the same again."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from checks.context import World
from checks.durations import RATES, Rates
from checks.finding import Finding, Severity
from checks.model import UNKNOWN
from checks.phases import Contract
from checks.report import judge
from checks.reviewing.values import CiResult
from deployments.judging import Judged, gravest, judge_scripts, world_of
from deployments.models import Migration, Observation
from deployments.reviewing import reviewed

KEPT = 16  # per process; an observation never changes, nor does a script

Seen = tuple[tuple[int, datetime], ...]
"""Readings by their key, each with its moment."""


def seen_of(observations: Iterable[Observation]) -> Seen:
    """Return what names these readings."""
    return tuple((one.pk, one.observed_at) for one in observations)


@lru_cache(maxsize=KEPT)
def judged_on(
    scripts: tuple[tuple[str, str], ...],
    asked: tuple[tuple[str, str], ...],
    seen: Seen,
    is_strict: bool,  # noqa: FBT001 # a part of the key
    rates: Rates = RATES,
) -> Judged:
    """Return the judgement of scripts on the schema of the database where they weigh most.

    `scripts` and `asked` are as `judge_scripts` takes them, `is_strict` and `rates` as in a World.
    """
    found = Observation.objects.select_related("database__environment").in_bulk([key for key, _ in seen])
    worlds = (world_of(found[key], applied_scripts(found[key]), is_strict=is_strict, rates=rates) for key, _ in seen)
    return gravest(judge_scripts(scripts, world, asked) for world in worlds)


@lru_cache(maxsize=1024)
def refused_where_strict(text: str) -> tuple[Finding, ...]:
    """Return what a strict environment refuses of a script, wherever it runs, and others only tell. Cached by text."""
    told = {
        (one.code, one.line) for one in judge(text, world=World(UNKNOWN, is_strict=False)).findings if _is_blocking(one)
    }
    found = judge(text, world=World(UNKNOWN, is_strict=True)).findings
    return tuple(one for one in found if _is_blocking(one) and (one.code, one.line) not in told)


def _is_blocking(found: Finding) -> bool:
    return found.severity is Severity.BLOCKING


def reviews_of(
    migrations: Sequence[Migration], judged: Judged, contracts: tuple[Contract, ...], tests: CiResult | None = None
) -> dict[str, list[dict[str, Any]]]:
    """Return the checklist of each migration by its name, on the schemas that a judgement met.

    `tests` is what CI reported about the commit, if it did.
    """
    key = (tuple(one.digest for one in migrations), id(judged), contracts, tests)
    known = _REVIEWS.get(key)  # another thread may empty it meanwhile
    if known is None:
        known = (judged, reviewed(migrations, judged.worlds, contracts, tests, judged.reports))
        if len(_REVIEWS) >= KEPT:
            _REVIEWS.clear()
        _REVIEWS[key] = known
    return known[1]


# With the judgement, so that its identity is not given to another one meanwhile.
_ReviewKey = tuple[tuple[str, ...], int, tuple[Contract, ...], CiResult | None]
_REVIEWS: dict[_ReviewKey, tuple[Judged, dict[str, list[dict[str, Any]]]]] = {}


def applied_scripts(seen: Observation) -> list[str]:
    """Return the forward scripts that are applied where it was read, in order, if its schema has to be followed."""
    if seen.schema_model() is not None:
        return []
    names = [entry["name"] for entry in seen.history]
    application = seen.database.environment.application_id
    stored = Migration.objects.filter(application=application, name__in=names).select_related("forward")
    texts = {one.name: one.forward.text() for one in stored.order_by("id")}
    return [texts[name] for name in names if name in texts]
