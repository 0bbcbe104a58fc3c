"""A person's wish to end one session that stands in the way of a migration: a row, which the executor's guard obeys."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.errors import DeploymentError
from deployments.models import Job, MigrationRun, SessionEnd, Step
from deployments.services.announce import announce_wish
from deployments.services.audit import record
from deployments.services.session_ends import answer
from deployments.services.transition import locked_run
from deployments.states import JobState, StepState

SESSION = "session"
WHY_NOT = {
    "prepared": "a prepared transaction has no session. Its owner commits it or rolls it back",
    "anti-wraparound": "it is a vacuum that keeps the server from stopping. It is waited for",
    "ours": "it is one of Locktender's own",
}
"""What cannot be ended by anybody here, by the kind that the guard tells, and what to do instead."""
UNKNOWN = (
    "the migrating role is not told when it began, so it could be another one by now. "
    "A role with pg_read_all_stats is told, and one with pg_signal_backend may end it"
)
"""Of sessions of other roles a role without rights sees the number alone."""


class EndReasonMissing(DeploymentError):
    """The end of a session was asked for without its reason."""

    code = "end-reason-missing"

    def __init__(self) -> None:
        super().__init__("Whose work is taken away has to read why. Nothing was ended. Give a reason.")


class SessionNotInTheWay(DeploymentError):
    """The session is not among those that stood in the way at the last look."""

    code = "session-not-in-the-way"

    def __init__(self, *, pid: int, number: int) -> None:
        super().__init__(
            f"Session {pid} does not stand in the way of run #{number} now. Nothing was ended. "
            "Look at the run again: it may go on already, or wait for another one."
        )


class SessionNotEnded(DeploymentError):
    """What stands in the way is of a kind that is never ended here."""

    code = "session-not-ended"

    def __init__(self, *, pid: int, why: str) -> None:
        super().__init__(f"Session {pid} is not ended by a run: {why}. Nothing was ended. Cancel or pause the run.")


class EndAskedAlready(DeploymentError):
    """Somebody wants this very session ended already."""

    code = "end-asked-already"

    def __init__(self, *, pid: int, by: str) -> None:
        super().__init__(f"{by} asked for the end of session {pid} already. Nothing was changed. Follow the run.")


def request_end(
    run: MigrationRun,
    *,
    pid: int,
    reason: str,
    request_key: UUID,
    actor: Actor,
    backend_start: datetime | None = None,
    xact_start: datetime | None = None,
) -> SessionEnd:
    """Write down that a person wants this one session ended, and return the row. The guard does it, or says why not.

    `backend_start` and `xact_start` are those of the session that the person saw; without them it is the one that the
    guard told of last under this pid. Raises NotAllowed, EndReasonMissing, SessionNotInTheWay, SessionNotEnded,
    EndAskedAlready.
    """
    if not reason.strip():
        raise EndReasonMissing
    with transaction.atomic():
        held = locked_run(run.pk)
        person = require(actor, Action.END_SESSION, held)
        if same := SessionEnd.objects.filter(request_key=request_key).first():
            return same
        job, shown = _shown(held, pid, backend_start, xact_start)
        if (why := WHY_NOT.get(shown.get("kind", SESSION))) or not shown.get("backend_start"):
            raise SessionNotEnded(pid=pid, why=why or UNKNOWN)
        open_wish = SessionEnd.objects.filter(job=job, pid=pid, backend_start=shown["backend_start"], done_at=None)
        if other := open_wish.first():
            raise EndAskedAlready(pid=pid, by=str(other.asked_by))
        wish = SessionEnd.objects.create(
            job=job,
            pid=pid,
            backend_start=shown["backend_start"],
            xact_start=shown.get("xact_start") or None,
            shown_user=shown.get("user", "")[:120],
            shown_application=shown.get("application", "")[:120],
            asked_by=person,
            reason=reason,
            request_key=request_key,
        )
        after = {name: shown.get(name) for name in ("pid", "user", "application", "backend_start", "xact_start")}
        record(actor, "session.end-requested", wish, after=after, reason=reason)
        MigrationRun.objects.filter(pk=held.pk).update(revision=F("revision") + 1)
        announce_wish(held.pk)
    return wish


def write_outcome(number: int, outcome: str, *, actor: Actor) -> None:
    """Write what became of a wish, if nothing was written yet."""
    wish = SessionEnd.objects.select_related("job__run", "job__database").get(pk=number)
    with transaction.atomic():
        locked_run(wish.job.run_id)
        answer(wish, outcome, actor=actor)


def in_the_way(run: MigrationRun) -> Iterator[tuple[Job, dict[str, Any]]]:
    """Yield what the guards of a run told last of those that stand in its way, with the job that waits."""
    running = Step.objects.filter(job__run=run, job__state=JobState.RUNNING, state=StepState.RUNNING)
    for step in running.select_related("job__run", "job__database"):
        waits = step.progress.get("waits", {})
        # Between two tries nobody is in the way of anything: then those of the last one count.
        for one in waits.get("in_our_way") or waits.get("last_in_our_way", ()):
            if isinstance(one, dict):
                yield step.job, one


def _shown(
    run: MigrationRun, pid: int, backend_start: datetime | None, xact_start: datetime | None
) -> tuple[Job, dict[str, Any]]:
    """Return who was shown under this pid. Raises SessionNotInTheWay if nobody is, or another one by now."""
    for job, one in in_the_way(run):
        if one.get("pid") == pid and _is_same(one, backend_start, xact_start):
            return job, one
    raise SessionNotInTheWay(pid=pid, number=run.number)


def _is_same(one: dict[str, Any], backend_start: datetime | None, xact_start: datetime | None) -> bool:
    seen = {"backend_start": backend_start, "xact_start": xact_start}
    return all(
        wanted is None or (one.get(name) and datetime.fromisoformat(one[name]) == wanted)
        for name, wanted in seen.items()
    )
