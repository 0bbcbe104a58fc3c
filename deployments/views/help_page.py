"""Help: what the signs mean, the keys, and how pages behave."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from deployments.states import RunState, StepState
from deployments.views.base import PageRequest, page
from deployments.views.signs import RISKS

MEANINGS: dict[str, str] = {
    RunState.AWAITING: "Something is asked for before it may start; its page says what.",
    RunState.QUEUED: "It may start, and waits for a free executor or for another run on the same database.",
    RunState.RUNNING: "An executor is at work.",
    RunState.NEEDS_ATTENTION: "We do not know what the database did. A person looks, then says how it goes on.",
    RunState.SUCCEEDED: "Everything asked for was done and checked.",
    RunState.FAILED: "It stopped. Its page begins with what was changed.",
    RunState.CANCELLED: "Somebody asked it to stop.",
    RunState.REJECTED: "Somebody said no.",
    RunState.SUPERSEDED: "The database moved, or a new plan took its place. Nothing of it ran.",
    StepState.PENDING: "Its turn comes later.",
    "not-reached": "A step before it failed.",
    StepState.SKIPPED: "There was nothing to do, or it was not asked for; the step says which.",
    "not-proven": "A way back was tried on a copy, and does not bring back what was there. Nothing was changed.",
    "not-measured": "Nobody knows the value. It is never shown as zero.",
}


@require_safe
def help_page(request: PageRequest) -> HttpResponse:
    """Show the signs with their meanings, and the keys."""
    return page(request, "help/help", {"meanings": MEANINGS, "risks": list(RISKS)})
