"""What a cancel leaves of the job that it ends, as far as its steps told."""

from deployments.models import Job, Step
from deployments.models.run import CancelOutcome
from deployments.selectors.rail import MIGRATE


def what_is_left(job: Job, *, planned: int, applied: int | None = None) -> CancelOutcome:
    """Return it, given how many migrations are planned, and committed: as the job counts them unless told."""
    done = job.applied if applied is None else applied
    step = Step.objects.filter(job=job, name=MIGRATE).order_by("-attempt").first()
    if done >= planned:
        return CancelOutcome.COMMITTED
    told = step.progress if step else {}
    if told.get("number", 0) > done:
        return CancelOutcome.ROLLED_BACK if told.get("is_transactional") else CancelOutcome.UNFINISHED
    return CancelOutcome.BETWEEN if done else CancelOutcome.NOT_BEGUN
