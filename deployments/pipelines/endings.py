"""People's wishes to end a session: carried from the control database to the guard, and their outcomes back."""

from deployments.actors import EXECUTOR
from deployments.models import Job, SessionEnd
from deployments.postgres.guard import Ending, Endings
from deployments.services.end_session import write_outcome


class Carrier:
    """Goes between the rows of one job and the box of its guards. What could not be written stays in the box."""

    def __init__(self, job: Job, endings: Endings) -> None:
        """Carry nothing yet."""
        self._job = job
        self._endings = endings

    def carry(self) -> None:
        """Put in what is asked for, and write down what became of it. Raises what the control database raises."""
        for wish in SessionEnd.objects.filter(job=self._job, done_at=None):
            self._endings.ask(Ending(wish.pk, wish.pid, wish.backend_start, wish.xact_start))
        for ending, outcome in self._endings.outcomes():
            write_outcome(ending.key, outcome.value, actor=EXECUTOR)
            self._endings.written(ending.key)
