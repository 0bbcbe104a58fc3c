"""People's wishes to end a session: carried from the control database to the guard, and their outcomes back."""

from deployments.actors import EXECUTOR
from deployments.models import Job, SessionEnd
from deployments.postgres.guard import Ending, Endings, Outcome
from deployments.services.end_session import write_outcome


class Carrier:
    """Goes between the rows of one job and the box of one guard. What could not be written is kept for next time."""

    def __init__(self, job: Job, endings: Endings) -> None:
        """Carry nothing yet."""
        self._job = job
        self._endings = endings
        self._unwritten: list[tuple[Ending, Outcome]] = []

    def carry(self) -> None:
        """Put in what is asked for, and write down what became of it. Raises what the control database raises."""
        for wish in SessionEnd.objects.filter(job=self._job, done_at=None):
            self._endings.ask(Ending(wish.pk, wish.pid, wish.backend_start, wish.xact_start))
        self._unwritten += self._endings.outcomes()
        while self._unwritten:
            ending, outcome = self._unwritten[0]
            write_outcome(ending.key, outcome.value, actor=EXECUTOR)
            self._unwritten.pop(0)
