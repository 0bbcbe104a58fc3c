"""What became of a cancel: kept as facts the moment it is known, before anything slow is done."""

from deployments.models.run import CancelOutcome
from deployments.pipelines.contract import StepContext
from deployments.pipelines.record import persist
from deployments.postgres.connect import DRIVER_ERROR
from deployments.postgres.stopped import CancelledOnRequest, CancelledTooLate
from deployments.selectors.left import what_is_left
from deployments.services.progress import write_cancel_end


def note_end(ctx: StepContext, cancelled: CancelledOnRequest, *, applied: int) -> None:
    """Keep when what was under way had ended, by what answer of the server, and what it left."""
    outcome = became(ctx, cancelled, applied=applied)
    answer = answer_of(cancelled)
    persist(lambda: write_cancel_end(ctx.job, outcome, answer=answer, fence=ctx.holder.fence), is_written=lambda: True)


def became(ctx: StepContext, cancelled: CancelledOnRequest, *, applied: int) -> CancelOutcome:
    """Return what became of a cancel, given how many migrations are committed."""
    if isinstance(cancelled, CancelledTooLate):
        return CancelOutcome.COMMITTED
    return what_is_left(ctx.job, planned=len(ctx.plan["migrations"]), applied=applied)


def answer_of(cancelled: CancelledOnRequest) -> str:
    """Return the SQLSTATE with which the server ended what was under way, "" if nothing had to be ended."""
    error: BaseException | None = cancelled
    while error is not None:
        if isinstance(error, DRIVER_ERROR):
            return error.sqlstate or ""
        error = error.__cause__ or error.__context__
    return ""
