"""What every chapter of the story is told with: the stage, the people, and what they do in each of them."""

from demo.desk import Desk
from demo.people import DANA
from demo.releases import Release
from demo.stage import Stage
from demo.targets import STAGING
from demo.teller import Teller
from deployments.models import MigrationRun
from deployments.states import RunState


class Telling:
    """A stage with people on it. `desk` is there as soon as they can sign in."""

    desk: Desk

    def __init__(self, stage: Stage, teller: Teller) -> None:
        """Take the stage."""
        self.stage = stage
        self.say = teller

    def release(self, release: Release) -> None:
        """Bring a release into the customer's repository, and have it read."""
        names = self.stage.release(release)
        self.desk.sync(DANA)
        for name in names:
            self.say.note(f"+ {name}")

    def in_staging(self, reason: str, reference: str) -> MigrationRun:
        """Deploy what is pending to staging, and return the run."""
        run = self.desk.ask(DANA, STAGING, reason=reason, reference=reference)
        self.desk.start(DANA, run)
        run = self.desk.follow(run)
        self.say.holds("Staging deployed.", truth=is_state(run, RunState.SUCCEEDED), seen=run.jobs.get().error)
        return run


def is_state(run: MigrationRun, state: RunState) -> bool:
    """Return whether a run is in a state now."""
    return MigrationRun.objects.filter(pk=run.pk, state=state).exists()
