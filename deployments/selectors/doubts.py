"""What is known about a run in doubt: what its target said when it was looked at, what its executor saw last."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models.functions import Now

from deployments.models import AuditEvent, Job, Step, StepLog, TargetRequest
from deployments.models.target_request import RequestKind
from deployments.selectors.rail import MIGRATE
from deployments.states import JobState

CONFIRM_WITHIN = timedelta(minutes=15)
"""How old a look may be on which "it is applied" is confirmed: what it showed may be dropped since."""
TAIL = 6  # lines of the log
SAYS: Mapping[bool | None, tuple[str, str]] = {
    True: ("passed", "The target shows that it is applied."),
    False: ("failed", "The target shows that it is not applied."),
    None: ("not-measured", "The target itself cannot tell."),
}
"""What a look comes to: a sign and a sentence."""


@dataclass(frozen=True, slots=True)
class LastSeen:
    """What the executor had told before it was lost or gave up."""

    at: datetime | None  # its last sign of life
    migration: str
    statement: str  # "2 of 3", or "" where none was sent
    sql: str
    pid: int | None
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known about a job in doubt."""

    job: Job
    look: TargetRequest | None  # the newest one that was answered since the doubt arose
    asked: TargetRequest | None  # a look that nobody has answered yet
    why_not_confirmed: str  # "" where the target shows that it is applied, and lately
    last: LastSeen

    @property
    def doubt(self) -> dict[str, Any]:
        """What the look came to; {} where there is none."""
        return dict(self.look.found.get("doubt", {})) if self.look else {}

    @property
    def sign(self) -> str:
        """The name of the sign."""
        return SAYS[self.doubt["is_applied"]][0] if self.doubt else "not-measured"

    @property
    def say(self) -> str:
        """What the target said, as a sentence."""
        if self.look is None:
            return "The target was not looked at yet."
        return SAYS[self.doubt["is_applied"]][1] if self.doubt else "The target did not answer."

    @property
    def place(self) -> str:
        """What is in doubt."""
        if not self.doubt or self.doubt["migration"] is None:
            return ""
        statement = self.doubt["statement"]
        return f"{f'statement {statement} of ' if statement else ''}{self.doubt['migration']}"


def known_about(job: Job) -> Known:
    """Return what is known about a job that needs attention."""
    look = newest_look(job)
    wishes = TargetRequest.objects.filter(job=job, kind=RequestKind.LOOK, answered_at=None)
    return Known(
        job=job,
        look=look,
        asked=wishes.first(),
        why_not_confirmed=why_not_confirmed(look),
        last=_last_seen(job),
    )


def _last_seen(job: Job) -> LastSeen:
    step = Step.objects.filter(job=job, name=MIGRATE).order_by("-attempt").first()
    told = step.progress if step else {}
    lines = StepLog.objects.filter(step__job=job).order_by("-id").values_list("line", flat=True)[:TAIL]
    number, of = told.get("statement"), told.get("statements")
    return LastSeen(
        at=job.heartbeat_at,
        migration=told.get("migration", ""),
        statement=f"{number} of {of}" if number else "",
        sql=told.get("sql", ""),
        pid=(told.get("session") or {}).get("pid"),
        lines=tuple(lines)[::-1],
    )


def newest_look(job: Job) -> TargetRequest | None:
    """Return the newest answered look at the target that was asked for after the job came into doubt."""
    moved = AuditEvent.objects.filter(
        object_type="job", object_id=str(job.pk), action="job.moved", after=str(JobState.NEEDS_ATTENTION)
    )
    since = moved.order_by("-seq").values_list("at", flat=True).first()
    if since is None:
        return None
    looks = TargetRequest.objects.filter(
        job=job, kind=RequestKind.LOOK, created_at__gte=since, answered_at__isnull=False
    )
    return looks.order_by("-id").first()


def why_not_confirmed(seen: TargetRequest | None) -> str:
    """Return why a look does not let anybody confirm, or ""."""
    if seen is None:
        return "the target was not looked at since the doubt arose."
    if seen.error_code:
        return f"the target did not answer ({seen.error_code})."
    if not TargetRequest.objects.filter(pk=seen.pk, answered_at__gte=Now() - CONFIRM_WITHIN).exists():
        return f"the last look is older than {CONFIRM_WITHIN.total_seconds() / 60:.0f} minutes."
    if seen.found["doubt"]["is_applied"] is not True:
        return f"the target does not show it. {seen.found['doubt']['why']}"
    return ""
