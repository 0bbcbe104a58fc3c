"""Counting what a restore would lose, for a person who has not decided yet: nothing is changed."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from deployments.artifacts import Artifacts
from deployments.models import Job
from deployments.pipelines.observing import target_of
from deployments.postgres.backup.archive import compare_with_manifest
from deployments.postgres.connect import Session, session
from deployments.postgres.price.estimate import Price, Sure, estimate
from deployments.selectors.restores import closed, source_of
from deployments.services.restore import NothingToRestore

COUNTING_SECONDS = 30.0  # a person waits, and the target has other work


class NeverStopped:
    """A `Stop` for what nobody can ask to stop."""

    cancel_requested = False

    def require_may_start(self) -> None:
        """Everything may."""

    def require_may_go_on(self, place: str) -> None:
        """Everything may."""

    def wait(self, seconds: float) -> None:
        """Nothing is waited for."""

    rest = wait


def price_of(job: Job) -> dict[str, Any]:
    """Return the price of restoring what a job kept, as evidence. Raises NothingToRestore, BackupUnreadable, and what
    opening a session raises.
    """
    source = source_of(job.run)
    if source is None:
        raise NothingToRestore(why=closed(job.run, source))
    if source.backup is not None:
        place = Artifacts(settings.CONFIGURATION.artifacts).path(source.backup.place)
        manifest = compare_with_manifest(place, recorded=source.backup.manifest_sha256, stop=NeverStopped())
        content = manifest.content
    else:
        assert source.kept is not None  # noqa: S101 # one of both is there
        content = source.kept.baseline
    with session(target_of(source.job.database)) as opened:
        return price_in(opened, content, seconds=COUNTING_SECONDS).as_evidence()


def price_in(opened: Session, content: Mapping[str, Any], *, seconds: float) -> Price:
    """Return the price of what a manifest or baseline tells, in the database of a session; {} tells nothing."""
    if not content:
        return Price((), None, 0.0, ("What the database held when it was exchanged was not noted.",))
    return estimate(opened, content, seconds=seconds)


def told_price(price: Price) -> str:
    """Return what a restore costs in one sentence or two."""
    if price.is_nothing and price.tables:
        return "Nothing was written since."
    exact, most = price.total(Sure.EXACT), price.total(Sure.AT_MOST)
    told = [f"{exact:,} rows written since, exactly"] + ([f"at most {most:,} more"] if most else [])
    if price.unknown:
        told.append(f"of {len(price.unknown)} table(s) nothing is known")
    return f"{', '.join(told)}; {price.minutes:,.0f} minutes of traffic."
