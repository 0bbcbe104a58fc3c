"""Keeping whether the migrations of a release produce the data model beside them."""

from collections.abc import Sequence

from django.db import transaction

from deployments.actors import Actor
from deployments.models import DatamodelCheck, Release
from deployments.models.datamodel import DatamodelOutcome
from deployments.services.audit import record


def keep_datamodel_check(
    release: Release,
    outcome: DatamodelOutcome,
    *,
    missing: Sequence[str] = (),
    more: Sequence[str] = (),
    why: str = "",
    actor: Actor,
) -> DatamodelCheck:
    """Keep what came of comparing a release with its data model, and return it. `why` is why nothing was compared."""
    found = {"missing": list(missing), "more": list(more), "why": why}
    with transaction.atomic():
        kept = DatamodelCheck.objects.create(release=release, outcome=outcome, found=found)
        record(actor, "release.datamodel-checked", release, after={"outcome": outcome, "missing": len(missing)})
    return kept
