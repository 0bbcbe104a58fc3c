"""Whether the installation is drained, and what still runs."""

from deployments.models import Drain, Job
from deployments.states import JobState


def open_drain() -> Drain | None:
    """Return the drain that is open, None if new jobs begin as usual."""
    return Drain.objects.filter(ended_at=None).select_related("begun_by").first()


def running_jobs() -> int:
    """Return how many jobs run now."""
    return Job.objects.filter(state=JobState.RUNNING).count()
