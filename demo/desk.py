"""What people do at Locktender in the story: through its pages, each in a session of their own."""

import time
from collections.abc import Callable
from io import StringIO
from uuid import uuid4

from django.core.management import call_command

from demo.people import CAST, MIKA, PIA, Player
from demo.targets import PLACES, Place
from demo.teller import StoryBroken, Teller
from demo.visitor import Page, Visitor
from deployments.models import Approval, MigrationRun, Step
from deployments.states import RUN_FINAL, RunState, StepState

APPLICATION = "loyalty"
APPROVERS = {"dba": PIA, "architect": MIKA}
PATIENCE_SECONDS = 180
LOOK_SECONDS = 0.5


def command(*words: str) -> None:
    """Run a command of the product, as at a terminal, without its output."""
    call_command(*words, stdout=StringIO())


def path_of(place: Place) -> str:
    """Return how Locktender calls the environment."""
    return f"{APPLICATION}/{place.environment}"


class Desk:
    """Everybody's browser, and an eye on what the runs do."""

    def __init__(self, url: str, teller: Teller, *, password: str) -> None:
        """Sign everybody in."""
        self._teller = teller
        self._people = {one: Visitor(url, one.name).sign_in(password) for one in CAST}

    def sync(self, who: Player) -> None:
        """Have the repository read, and the databases."""
        command("sync", APPLICATION, "--as", who.name)
        for place in PLACES:
            command("observe", f"{path_of(place)}/{place.database}")

    def see(self, who: Player, path: str) -> Page:
        """Return a page as a person sees it."""
        return self._people[who].get(path)

    def ask(self, who: Player, place: Place, *, reason: str, reference: str) -> MigrationRun:
        """Ask for a run of everything pending, and return it."""
        path = f"/runs/new/?environment={path_of(place)}"
        return self._run_of(self._people[who].press(path, "new-run", reason=reason, change_reference=reference))

    def approve(self, who: Player, run: MigrationRun) -> Page:
        """Say yes to a run, with the name of the environment typed where that is asked for."""
        path = f"/runs/{run.number}/approval/"
        return self._people[who].press(path, "decide", verdict="approved", confirm=str(run.environment))

    def have_approved(self, run: MigrationRun) -> None:
        """Have a run approved by everybody it needs, and tell who did."""
        for role in run.plan["requirements"]["approvals"]:
            who = APPROVERS[role]
            page = self.approve(who, run)
            self._teller.holds(
                f"{who.name}, {who.role.label}, approved run {run}.",
                truth=Approval.objects.filter(run=run, approver__username=who.name, digest=run.digest).exists(),
                seen=(page.status, page.text),
            )

    def try_to_approve(self, who: Player, run: MigrationRun) -> Page:
        """Send the same yes by hand, as somebody whose page has no button for it."""
        visitor, path = self._people[who], f"/runs/{run.number}/approval/"
        token = visitor.get(path).form("")["csrfmiddlewaretoken"]
        fields = {"csrfmiddlewaretoken": token, "verdict": "approved", "confirm": str(run.environment)}
        return visitor.post(path, fields | self._bound_to(run))

    def try_to_start(self, who: Player, run: MigrationRun) -> Page:
        """Send a start by hand, as somebody whose page has no button for it."""
        visitor, path = self._people[who], f"/runs/{run.number}/"
        token = visitor.get(path).form("")["csrfmiddlewaretoken"]
        return visitor.post(f"{path}start/", {"csrfmiddlewaretoken": token} | self._bound_to(run))

    def reject(self, who: Player, run: MigrationRun, *, reason: str) -> Page:
        """Say no to a run."""
        path = f"/runs/{run.number}/approval/"
        return self._people[who].press(path, "decide", verdict="rejected", comment=reason)

    def rehearse(self, who: Player, run: MigrationRun) -> MigrationRun:
        """Have the way back of a run tried on a copy, and return the run that does."""
        path = f"/runs/{run.number}/"
        return self._run_of(self._people[who].press(path, "rehearse", to=f"{path}rehearse/"))

    def count(self, who: Player, run: MigrationRun) -> Page:
        """Have counted what a restore because of a run would lose."""
        visitor, path = self._people[who], f"/runs/{run.number}/restore/"
        token = visitor.get(path).form("")["csrfmiddlewaretoken"]
        return visitor.post(path, {"csrfmiddlewaretoken": token, "measure": "1"})

    def restore(self, who: Player, run: MigrationRun, *, reason: str) -> MigrationRun:
        """Ask for what a run kept to be restored, and return the run that does."""
        path = f"/runs/{run.number}/restore/"
        return self._run_of(self._people[who].press(path, "press", reason=reason, confirm=str(run.environment)))

    def go(self, who: Player, run: MigrationRun) -> MigrationRun:
        """Have a way back approved and started where its press alone did not start it; return it when it is over."""
        if MigrationRun.objects.filter(pk=run.pk, state=RunState.AWAITING).exists():
            self.have_approved(run)
            self.start(who, run)
        return self.follow(run)

    def start(self, who: Player, run: MigrationRun) -> None:
        """Press Start."""
        self._people[who].press(f"/runs/{run.number}/", "start", to=f"/runs/{run.number}/start/")

    def roll_back(self, who: Player, run: MigrationRun, *, reason: str) -> MigrationRun:
        """Ask for the way back from a run, and return the run that goes it."""
        path = f"/runs/{run.number}/rollback/"
        return self._run_of(self._people[who].press(path, "press", reason=reason, confirm=str(run.environment)))

    def follow(self, run: MigrationRun, *, meanwhile: Callable[[], object] = lambda: None) -> MigrationRun:
        """Tell every step as it ends, call `meanwhile` again and again, and return the run when it is over.

        Raises StoryBroken if it takes too long.
        """
        until = time.monotonic() + PATIENCE_SECONDS
        told: set[int] = set()
        with self._teller.busy(f"Run {run} on {run.environment}"):
            while True:
                now = MigrationRun.objects.select_related("environment").get(pk=run.pk)
                for step in Step.objects.filter(job__run=run).order_by("pk"):
                    if step.finished_at and step.started_at and step.pk not in told:
                        told.add(step.pk)
                        self._tell(step, (step.finished_at - step.started_at).total_seconds())
                meanwhile()
                if now.state in RUN_FINAL:
                    return now
                if time.monotonic() > until or now.state == "needs_attention":
                    raise StoryBroken(f"Run {run} is {now.state} after {PATIENCE_SECONDS} s.")
                time.sleep(LOOK_SECONDS)

    def _tell(self, step: Step, seconds: float) -> None:
        if step.state != StepState.SKIPPED:
            sign = "·" if step.state == StepState.SUCCEEDED else "✗"
            self._teller.note(f"{sign} {step.name:14} {seconds:5.1f} s  {step.summary.partition('. ')[0]}")

    @staticmethod
    def _bound_to(run: MigrationRun) -> dict[str, str]:
        """Return what a form sends of the run as it was seen."""
        return {"digest": run.digest, "revision": str(run.revision), "request_key": str(uuid4())}

    @staticmethod
    def _run_of(page: Page) -> MigrationRun:
        parts = page.path.strip("/").split("/")
        if page.status != 200 or parts[0] != "runs" or not parts[-1].isdigit():  # noqa: PLR2004
            raise StoryBroken(f"No run was asked for: {page.status} at {page.path}: {page.text[:600]}")
        return MigrationRun.objects.select_related("environment").get(number=int(parts[-1]))
