"""Who stands in the way of a run now, who wanted which of them ended, and what became of it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from deployments.models import Job, SessionEnd, Step
from deployments.models.session_end import SessionOutcome
from deployments.states import StepState

SESSION, AUTOVACUUM, PREPARED = "session", "autovacuum", "prepared"
WHY_NOT = {
    PREPARED: "A prepared transaction has no session to end. Its owner commits it or rolls it back.",
    "anti-wraparound": "It is a vacuum that keeps the server from stopping. It is waited for.",
    "ours": "It is one of Locktender's own.",
}
"""Why nobody ends it here, by its kind."""
NOT_TOLD = (
    "The migrating role is not told when it began, so it could be another one by now: it is not ended from here. "
    "With pg_read_all_stats that is told, and with pg_signal_backend it may be ended."
)
BECAME = {
    SessionOutcome.ENDED: "Ended. Its open transaction was rolled back.",
    SessionOutcome.GONE: "It was gone already, before anybody told it to end.",
    SessionOutcome.MOVED_ON: "Not ended: the transaction that was shown was over, and the session did other work.",
    SessionOutcome.NOT_PERMITTED: (
        "Not ended: the migrating role may not. With pg_signal_backend it may, but for sessions of superusers."
    ),
    SessionOutcome.OURS: "Refused: it is one of Locktender's own.",
    SessionOutcome.ANTI_WRAPAROUND: "Refused: it is a vacuum that keeps the server from stopping.",
    SessionOutcome.NOT_IN_THE_WAY: "Not ended: it was no longer in the way.",
    SessionOutcome.STAYS: "It was told to end, and was still there ten seconds later.",
    SessionOutcome.NOT_TRIED: "Not tried: nothing of the run waited any more.",
}
PERHAPS_ENDED = "It was gone already: by itself, or ended by an executor that was lost before it said so."


@dataclass(frozen=True, slots=True)
class Blocker:
    """A session, or a prepared transaction, that the statement waits for, as the guard told last."""

    pid: int  # 0: a prepared transaction
    user: str
    application: str
    state: str
    seconds: float  # age of its transaction
    query: str  # its shape, without values; "" is not told
    kind: str
    relation: str
    backend_start: datetime | None
    xact_start: datetime | None
    wish: SessionEnd | None = None  # the last one to end it

    @property
    def who(self) -> str:
        """Who it is, in a few words."""
        if self.kind == PREPARED:
            return f"prepared transaction {self.application}"
        return f"pid {self.pid} ({self.user or self.kind}, {self.application or 'unnamed'})"

    @property
    def why_not(self) -> str:
        """Why nobody can end it from here whatever their role, "" if that is possible."""
        if why := WHY_NOT.get(self.kind):
            return why
        return "" if self.backend_start else NOT_TOLD

    @property
    def is_asked(self) -> bool:
        """Whether somebody has asked for its end, and nothing came of it yet."""
        return self.wish is not None and self.wish.done_at is None


@dataclass(frozen=True, slots=True)
class Ended:
    """A wish to end a session, with what became of it in words; "" while it is open."""

    wish: SessionEnd
    became: str


def blockers_told(step: Step) -> tuple[Blocker, ...]:
    """Return who stood in the way of a running step at the last look; nobody, if it is over."""
    if step.state != StepState.RUNNING:
        return ()
    told = step.progress.get("waits") or {}
    return tuple(_blocker(one) for one in told.get("in_our_way", ()) if isinstance(one, dict))


def blockers_of(step: Step, wishes: Iterable[SessionEnd]) -> tuple[Blocker, ...]:
    """Return the same, each with the last wish to end it."""
    last = {(one.job_id, one.pid, str(one.backend_start)): one for one in wishes}
    return tuple(
        replace(one, wish=last.get((step.job_id, one.pid, str(one.backend_start)))) for one in blockers_told(step)
    )


def ends_of(jobs: Iterable[Job]) -> tuple[Ended, ...]:
    """Return every wish to end a session for these jobs, oldest first."""
    found = SessionEnd.objects.filter(job__in=list(jobs)).select_related("asked_by")
    return tuple(Ended(one, _became(one)) for one in found)


def _became(wish: SessionEnd) -> str:
    """Return what became of a wish. One that an executor may have had before it was lost is told as such."""
    if wish.outcome == SessionOutcome.GONE:
        others = Step.objects.filter(job=wish.job_id, started_at__gt=wish.asked_at, started_at__lt=wish.done_at)
        return PERHAPS_ENDED if others.exists() else BECAME[SessionOutcome.GONE]
    return BECAME[SessionOutcome(wish.outcome)] if wish.outcome else ""


def _blocker(told: dict[str, Any]) -> Blocker:
    return Blocker(
        pid=told.get("pid", 0),
        user=told.get("user") or "",
        application=told.get("application") or "",
        state=told.get("state") or "",
        seconds=float(told.get("seconds") or 0),
        query=told.get("query") or "",
        kind=told.get("kind") or SESSION,
        relation=told.get("relation") or "",
        backend_start=_instant(told.get("backend_start")),
        xact_start=_instant(told.get("xact_start")),
    )


def _instant(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None
