"""Which runs are to be rehearsed again before their window opens, and what a rehearsal uses beside the plan."""

from datetime import datetime, timedelta
from typing import Any

from checks.policy import Requirements
from checks.policy.windows import next_opening, open_until
from deployments.models import Application, MigrationRun
from deployments.models.run import RunKind
from deployments.selectors.rehearsals import proofs_of, rehearsing
from deployments.states import RunState

AHEAD = timedelta(hours=2)  # DESIGN, section 9: the proof is renewed before the window, and a large copy takes a while


def due_again(now: datetime) -> list[tuple[MigrationRun, datetime]]:
    """Return the deploy runs whose proof ends before their next window does, each with when that window opens.

    Only where a window opens within two hours, where a rehearsal was played before, and none is under way.
    """
    waiting = MigrationRun.objects.filter(kind=RunKind.DEPLOY, state=RunState.AWAITING)
    waiting = waiting.exclude(environment__rehearsal_connection="").select_related(
        "environment__application", "requested_by"
    )
    return [(run, opens_at) for run in waiting.order_by("number") if (opens_at := _opens_too_late(run, now))]


def masking_and_queries(application: Application) -> dict[str, Any]:
    """Return by their SHA-256 the scripts beside the migrations that a rehearsal uses, None for one that is not there.

    Those of the newest release: they say how to look at data, and are no part of what is deployed.
    """
    newest = application.releases.order_by("-id").first()
    return {
        "masking": newest.masking_id if newest else None,
        "queries": newest.queries_id if newest else None,
    }


def _opens_too_late(run: MigrationRun, now: datetime) -> datetime | None:
    """Return when the window opens in which this run could not start any more, for the age of its proof alone."""
    needs = Requirements.of_plan(run.plan["requirements"])
    if needs.rehearsal_hours is None or not needs.windows or open_until(needs.windows, now) is not None:
        return None
    opens_at = next_opening(needs.windows, now)
    if opens_at is None or opens_at - now > AHEAD:
        return None
    closes_at = open_until(needs.windows, opens_at) or opens_at
    lasts = timedelta(hours=needs.rehearsal_hours)
    proofs = proofs_of(run)
    if any(one.made_at is None for one in proofs) or all(_lasts(one.made_at, lasts, closes_at) for one in proofs):
        return None
    under_way = rehearsing(run)
    return None if under_way is not None and under_way.open is not None else opens_at


def _lasts(made_at: datetime | None, lasts: timedelta, until: datetime) -> bool:
    return made_at is not None and made_at + lasts >= until
