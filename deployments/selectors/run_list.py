"""What ran where, and how it ended: the runs a person may see, filtered, newest first."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db.models import QuerySet

from deployments.authority import seen_environments
from deployments.models import MigrationRun, User
from deployments.models.approval import Approval
from deployments.models.approval import Verdict as Decided
from deployments.models.run import RunKind
from deployments.selectors.pausing import Resting, resting_of
from deployments.selectors.rehearsals import proved
from deployments.selectors.run_page import ROLE_NAMES, What, what_of
from deployments.selectors.runs import effect_of, failed_afterwards, reverting
from deployments.states import RUN_ACTIVE, RUN_FINAL, RunState

PAGE = 25
OPEN, OVER, PAUSED = "open", "over", "paused"


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to; what is empty narrows nothing. Days are UTC, the last one included."""

    environment: str = ""  # "rewards/production"
    state: str = ""  # a state as stored, or open, over, or paused: also those that will rest at the next place
    kind: str = ""
    person: str = ""
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One run of a list."""

    run: MigrationRun
    what: What
    risk: str
    effect: str
    resting: Resting | None
    decided: tuple[str, ...]
    started_at: datetime | None
    took: timedelta | None

    @property
    def sign(self) -> str:
        """The state that the list shows; of a rehearsal that is over, what it proved."""
        return self.resting.sign if self.resting else proved(self.run) or self.run.state


@dataclass(frozen=True, slots=True)
class RunList:
    """A page of a list. `newest` is the number it was opened at; `fresh` counts what came since."""

    lines: tuple[Line, ...]
    count: int
    newest: int
    fresh: int
    older: int | None  # the number that the next page lies before
    is_first: bool

    @property
    def version(self) -> str:
        """What differs when this page would."""
        lines = (f"{one.run.revision}{one.resting.sign if one.resting else ''}" for one in self.lines)
        return "-".join([str(self.fresh), str(self.count), *lines])

    @property
    def is_final(self) -> bool:
        """Whether nothing on it can change: an older page whose runs are all over."""
        return not self.is_first and all(one.run.state in RUN_FINAL for one in self.lines)


def run_list(user: User, wanted: Filter, *, before: int | None = None, newest: int | None = None) -> RunList:
    """Return a page of the runs a person may see: those before a number, not newer than `newest`."""
    every = matching(user, wanted)
    top = every.order_by("-number").values_list("number", flat=True).first() or 0
    shown = top if newest is None else newest
    page = every.filter(number__lte=shown)
    rest = page.filter(number__lt=before) if before is not None else page
    rows = list(
        rest.select_related("environment__application", "requested_by", "pause_requested_by", "reverts")
        .prefetch_related("jobs__run", "jobs__rehearsal", "approvals__approver", "reverted_by__jobs")
        .order_by("-number")[: PAGE + 1]
    )
    successors = {
        one.supersedes_id: one for one in MigrationRun.objects.filter(supersedes__in=[run.pk for run in rows])
    }
    return RunList(
        lines=tuple(_line(run, successors.get(run.pk)) for run in rows[:PAGE]),
        count=page.count(),
        newest=shown,
        fresh=every.filter(number__gt=shown).count(),
        older=rows[PAGE - 1].number if len(rows) > PAGE else None,
        is_first=before is None,
    )


def matching(user: User, wanted: Filter) -> QuerySet[MigrationRun]:
    """Return the runs a person may see that pass a filter."""
    found = MigrationRun.objects.filter(environment__in=seen_environments(user))
    application, _, environment = wanted.environment.partition("/")
    if environment:
        found = found.filter(environment__application__slug=application, environment__slug=environment)
    if wanted.state in {OPEN, OVER}:
        found = found.filter(state__in=sorted(RUN_ACTIVE if wanted.state == OPEN else RUN_FINAL))
    elif wanted.state == PAUSED:
        found = found.filter(state__in=[RunState.QUEUED, RunState.RUNNING], pause_requested_at__isnull=False)
    elif wanted.state:
        found = found.filter(state=wanted.state)
    if wanted.kind:
        found = found.filter(kind=wanted.kind)
    if wanted.person:
        found = found.filter(requested_by__username=wanted.person)
    if wanted.since:
        found = found.filter(created_at__gte=datetime.combine(wanted.since, time.min, UTC))
    if wanted.until:
        found = found.filter(created_at__lt=datetime.combine(wanted.until, time.min, UTC) + timedelta(days=1))
    return found


def choices_of(user: User) -> tuple[list[str], list[str]]:
    """Return the environments a person may see, and who has asked for runs there, as filters name them."""
    environments = seen_environments(user).select_related("application").order_by("application__slug", "rank")
    people = MigrationRun.objects.filter(environment__in=environments.order_by())
    names = people.values_list("requested_by__username", flat=True).distinct().order_by("requested_by__username")
    return [str(one) for one in environments], list(names)


def _line(run: MigrationRun, successor: MigrationRun | None) -> Line:
    plan = run.plan
    jobs = sorted(run.jobs.all(), key=lambda job: job.position)
    started = min((job.started_at for job in jobs if job.started_at), default=None)
    return Line(
        run=run,
        what=what_of(run),
        risk=plan["class"],
        effect=_effect(run, successor),
        resting=resting_of(run, jobs),
        decided=tuple(_decided(plan["requirements"]["approvals"], run.approvals.all())),
        started_at=started,
        took=run.finished_at - started if started and run.finished_at else None,
    )


def _effect(run: MigrationRun, successor: MigrationRun | None) -> str:
    if run.state == RunState.AWAITING:
        return ""
    if run.state == RunState.SUPERSEDED and successor:
        return f"by {successor}; never ran"
    if run.state == RunState.REJECTED:
        no = next((one for one in run.approvals.all() if one.verdict == Decided.REJECTED), None)
        return f"by {no.approver}" + (f": “{no.comment}”" if no.comment else "") if no else ""
    jobs = sorted(run.jobs.all(), key=lambda job: job.position)
    told = list(dict.fromkeys(effect_of(job) for job in jobs)) or ["never ran"]
    back = reverting(run.reverted_by.all())
    return ", ".join([*told, *([f"rolled back by {back}{failed_afterwards(back)}"] if back else [])])


def _decided(roles: list[str], approvals: Iterable[Approval]) -> Iterable[str]:
    """Yield who has decided, and what is still waited for."""
    left = list(roles)
    for one in approvals:
        no = ": no" if one.verdict == Decided.REJECTED else ""
        yield f"{one.approver} ({ROLE_NAMES[one.role]}){no}"
        if one.role in left:
            left.remove(one.role)
    if not roles:
        yield "not asked"
    elif left:
        yield "still: " + ", ".join(ROLE_NAMES[role] for role in left)


KINDS = [RunKind.DEPLOY, RunKind.ROLLBACK, RunKind.REHEARSAL]
