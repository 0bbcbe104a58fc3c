"""The log of one step: a page of its lines, and the first that says what went wrong."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Max, Q

from deployments.models import MigrationRun, Step, StepLog
from deployments.states import STEP_FINAL, StepState

PAGE = 500  # lines
ERROR_WORDS = ("failed", "error", "refused", "cancelled", "broke", "gave up", "not measured")


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines of a log; `older` and `newer` are the numbers that the neighbouring pages begin with."""

    step: Step
    lines: tuple[StepLog, ...]
    last: int  # number of the last line there is, 0 for none
    older: int | None
    newer: int | None
    first_error: StepLog | None

    @property
    def end(self) -> int:
        """The number of the last line on this page, 0 for none."""
        return self.lines[-1].number if self.lines else 0

    @property
    def first_error_is_here(self) -> bool:
        """Whether the first error is on this page."""
        return self.first_error is not None and self.first_error.number in {one.number for one in self.lines}

    @property
    def is_final(self) -> bool:
        """Whether no line will come any more."""
        return self.step.state in STEP_FINAL

    @property
    def version(self) -> str:
        """What differs when this page would."""
        return f"{self.step.state}-{self.last}-{len(self.lines)}"


def step_of(run: MigrationRun, step_id: int) -> Step | None:
    """Return a step of this run."""
    return Step.objects.select_related("job__database").filter(pk=step_id, job__run=run).first()


def log_page(step: Step, *, begin: int | None = None) -> LogPage:
    """Return a page of the log from line `begin` on; without it the last page, which is where a live step writes."""
    log = StepLog.objects.filter(step=step)
    last = log.aggregate(last=Max("number"))["last"] or 0
    first = begin if begin is not None else max(1, last - PAGE + 1)
    lines = tuple(log.filter(number__gte=first).order_by("number")[:PAGE])
    end = lines[-1].number if lines else first
    return LogPage(
        step=step,
        lines=lines,
        last=last,
        older=max(1, first - PAGE) if first > 1 else None,
        newer=end + 1 if end < last else None,
        first_error=_first_error(step),
    )


def _first_error(step: Step) -> StepLog | None:
    if step.state not in {StepState.FAILED, StepState.INTERRUPTED}:
        return None
    says = Q()
    for word in ERROR_WORDS:
        says |= Q(line__icontains=word)
    return StepLog.objects.filter(says, step=step).order_by("number").first()


def raw_log(step: Step) -> Iterator[str]:
    """Yield every line of a log with its instant, as text."""
    for line in StepLog.objects.filter(step=step).order_by("number").iterator(chunk_size=PAGE):
        yield f"{line.number}\t{line.at.isoformat(timespec='milliseconds')}\t{line.line}\n"
