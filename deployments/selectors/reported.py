"""What CI reported about the application's tests on a commit: the newest report counts."""

from typing import Any

from checks.reviewing.values import CiResult
from deployments.models import Application, CommitTests


def tests_of(application: Application, commit: str) -> CommitTests | None:
    """Return the newest report about a commit, or None. "" is no commit: a plain folder has none."""
    if not commit:
        return None
    told = CommitTests.objects.filter(application=application, commit=commit).select_related("reported_by")
    return told.order_by("-id").first()


def as_result(told: CommitTests | None) -> CiResult | None:
    """Return a report as the checklist takes it."""
    return CiResult(passed=told.passed, source=_source(told)) if told else None


def item_of(told: CommitTests | None) -> dict[str, Any] | None:
    """Return a report as an item of a checklist, with its address and its moment; None where there is none."""
    if told is None:
        return None
    return {
        "outcome": "met" if told.passed else "not met",
        "words": f"The application's tests {told}.",
        "evidence": (_source(told),),
        "url": told.url,
        "at": told.reported_at,
    }


def _source(told: CommitTests) -> str:
    return f"reported by {told.reported_by.username}" + (f": {told.reason}" if told.reason else "")
