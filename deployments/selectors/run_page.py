"""Everything the page of one run shows, read in a bounded number of queries."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max
from django.utils import timezone

from checks.policy import NOT_ASKED, Unmet
from deployments.authority import Action, eligible, may, roles
from deployments.models import Job, LatencyReading, MigrationRun, SessionEnd, Step, StepLog, TargetRequest, User
from deployments.models.approval import Approval
from deployments.models.approval import Verdict as Decided
from deployments.models.run import RunKind
from deployments.selectors.batches import Batching, batching_of
from deployments.selectors.blockers import Blocker, Ended, blockers_of, ends_of
from deployments.selectors.conflicts import Conflict, conflicts_of
from deployments.selectors.doing import Doing, doing_of
from deployments.selectors.evidence import Evidence, evidence_of
from deployments.selectors.history import latest_observation
from deployments.selectors.pausing import Pause, pause_of
from deployments.selectors.rail import MIGRATE, is_lost, rail_of, shown_as
from deployments.selectors.rehearsals import Rehearsing, rehearsing
from deployments.selectors.run_actions import Door, doors
from deployments.selectors.run_verdict import verdict_of
from deployments.selectors.runs import blocking_job, reverting, unmet_of
from deployments.selectors.taken_back import TakenBack, taken_back_around
from deployments.selectors.verdict_parts import Verdict, Work
from deployments.selectors.waits import Waits, waits_of
from deployments.states import RUN_ACTIVE, JobState, RunState, StepState

TAIL = 12  # lines of the live step's log
MOST_NEAR, SHOWN_BEFORE = 30, 5  # migrations of a live step that are sent each second, and of those the ones behind it
SUCCESSOR_WAIT = timedelta(seconds=60)  # a superseded run is looked at for so long: its successor comes after it
ROLE_NAMES = {"dba": "DBA", "architect": "architect"}


@dataclass(frozen=True, slots=True)
class What:
    """What a run is about, in a few words: a name of the machine's, then words of ours."""

    name: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Open:
    """The open panel of a rail: the live step, or the one a job stopped at."""

    work: Work
    step: Step
    shown: str  # how the step stands, as its sign's name
    migrations: tuple[tuple[str, str], ...]  # name, and where it stands: those around the place where the job is
    before: int  # how many of the plan stand before these, and after them
    after: int
    lines: tuple[StepLog, ...]
    waits: Waits | None  # what the application pays, as the guard told
    in_the_way: tuple[Blocker, ...]  # whom it waits for now
    batch: Batching | None  # how far a batched statement is
    doing: Doing | None  # what it does right now


@dataclass(frozen=True, slots=True)
class Found:
    """A finished attempt of a step with what it proved."""

    step: Step
    shown: str
    took: timedelta | None
    evidence: Evidence
    is_open: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """One approval that the policy asks for: given by somebody, or waited for."""

    who: str
    given: Approval | None
    eligible: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunPage:
    """A run as one person sees it at one moment."""

    run: MigrationRun
    plan: dict[str, Any]
    what: What
    works: tuple[Work, ...]
    verdict: Verdict
    pause: Pause | None
    ends: tuple[Ended, ...]  # sessions of others that somebody wanted ended
    unmet: tuple[Unmet, ...]
    opened: tuple[Open, ...]
    found: tuple[Found, ...]
    asked: tuple[Asked, ...]
    approvals: tuple[Approval, ...]
    not_deciding: tuple[tuple[User, str], ...]
    doors: tuple[Door, ...]
    not_asked: tuple[str, ...]
    successor: MigrationRun | None
    reverted_by: tuple[MigrationRun, ...]
    back: MigrationRun | None  # the one of these that has undone the run
    is_final: bool
    way_back: Rehearsing | None  # what is proven of it, where the run is a deploy
    taken_back: tuple[TakenBack, ...]  # what of it was taken back, and would be applied again
    conflicts: tuple[Conflict, ...]  # other open runs that touch the same
    version: str


def seen_run(user: User, number: int) -> MigrationRun | None:
    """Return the run of this number if this person may know of it."""
    run = (
        MigrationRun.objects.select_related(
            "environment__application",
            "policy",
            "requested_by",
            "cancel_requested_by",
            "pause_requested_by",
            "reverts",
            "supersedes",
        )
        .prefetch_related("approvals__approver", "authors__user")
        .filter(number=number)
        .first()
    )
    return run if run is not None and may(user, Action.VIEW, run) else None


def run_page(run: MigrationRun, user: User) -> RunPage:
    """Return what the page of a run shows to a person."""
    now = timezone.now()
    plan = run.plan
    steps = list(Step.objects.filter(job__run=run))
    works = tuple(_work(job, steps, now) for job in jobs_of(run))
    unmet = unmet_of(run) if run.state == RunState.AWAITING else ()
    pause = pause_of(run)
    ends = ends_of(one.job for one in works)
    successor = MigrationRun.objects.filter(supersedes=run).first()
    reverted_by = tuple(run.reverted_by.prefetch_related("jobs").order_by("number"))
    last_line = StepLog.objects.filter(step__job__run=run).aggregate(last=Max("id"))["last"]
    last_latency = LatencyReading.objects.filter(job__run=run).aggregate(last=Max("id"))["last"]
    looks = TargetRequest.objects.filter(job__run=run).aggregate(asked=Max("id"), answered=Max("answered_at"))
    way_back = rehearsing(run)
    again, conflicts = taken_back_around(run, reverted_by), conflicts_of(run)
    waits_for_decision = run.state == RunState.AWAITING
    approvals = tuple(run.approvals.all())
    wants_people = any(one.rule.startswith("approval-") for one in unmet)
    deciders = {one.username: roles(one, run) for one in eligible(Action.DECIDE, run)} if wants_people else {}
    # what moves without the run: a sign of life, the run that blocks, time that passed
    moving = (
        run.revision,
        last_line,
        [(one.wish.pk, one.wish.outcome) for one in ends],
        last_latency,
        looks,
        [(one.job.heartbeat_at, one.lost, one.blocked_by and one.blocked_by.pk) for one in works],
        [one.text for one in unmet],
        successor and successor.pk,
        way_back and ([one.run for one in way_back.proofs], way_back.open),
        [(one.pk, one.state) for one in reverted_by],
        [(one.database.pk, one.names) for one in again],
        [(one.run.pk, one.names) for one in conflicts],
    )
    return RunPage(
        run=run,
        plan=plan,
        what=what_of(run),
        works=works,
        verdict=verdict_of(run, works, unmet, now, reverted_by=reverted_by, pause=pause),
        pause=pause,
        ends=ends,
        unmet=unmet,
        opened=tuple(_opened(works, [one.wish for one in ends])),
        found=tuple(_found(works)),
        asked=tuple(_asked(plan["requirements"]["approvals"], approvals, deciders)),
        approvals=approvals,
        not_deciding=tuple(_not_deciding(run)) if waits_for_decision else (),
        doors=doors(user, run, works, unmet=unmet, reverted_by=reverted_by, deciders=deciders, pause=pause),
        not_asked=NOT_ASKED,
        successor=successor,
        reverted_by=reverted_by,
        back=reverting(reverted_by),
        is_final=_is_final(run, successor, now),
        way_back=way_back,
        taken_back=again,
        conflicts=conflicts,
        version=hashlib.sha256(repr(moving).encode()).hexdigest()[:16],
    )


def what_of(run: MigrationRun) -> What:
    """Return what a run is about. The figures that migrations are ordered by are left out."""
    if run.kind == RunKind.ROLLBACK:
        return What(text=f"roll back {run.reverts}")
    if run.kind == RunKind.RESTORE:
        what = "take back what {} replaced" if run.plan["restore"]["from"] == "kept" else "restore the backup of {}"
        return What(text=what.format(run.reverts))
    first, *others = [entry["name"] for entry in run.plan["migrations"]]
    more = f"and {len(others)} more" if others else ""
    return What(name=first.lstrip("0123456789.").lstrip("_") or first, text=more)


def jobs_of(run: MigrationRun) -> list[Job]:
    """Return the jobs of a run in order, each knowing this very run."""
    jobs = list(run.jobs.select_related("database__environment__application").order_by("position"))
    for job in jobs:
        job.run = run
    return jobs


def _work(job: Job, steps: Sequence[Step], now: datetime) -> Work:
    own = [one for one in steps if one.job_id == job.pk]
    for step in own:
        step.job = job
    lost = is_lost(job, now)
    seen = latest_observation(job.database)
    return Work(
        job=job,
        rail=rail_of(job, own, kind=job.run.kind, lost=lost),
        lost=lost,
        blocked_by=blocking_job(job) if job.state == JobState.QUEUED else None,
        version=f"{seen.server_version // 10000}.{seen.server_version % 10000}" if seen else "",
    )


def _opened(works: Iterable[Work], wishes: Sequence[SessionEnd]) -> Iterable[Open]:
    for work in works:
        stage = work.current
        if stage is None or stage.step is None:
            continue
        lines = list(StepLog.objects.filter(step=stage.step).order_by("-number")[:TAIL])[::-1]
        waits = waits_of(stage.step, work.job.run.plan["budget"])
        every = list(_migrations(work, stage.step)) if stage.name == MIGRATE else []
        begin = max(0, min(work.job.applied - SHOWN_BEFORE, len(every) - MOST_NEAR))
        near = tuple(every[begin : begin + MOST_NEAR])
        after = len(every) - begin - len(near)
        in_the_way, batch = blockers_of(stage.step, wishes), batching_of(stage.step)
        doing = doing_of(stage.step, work.job.run.judgement)
        yield Open(work, stage.step, stage.shown, near, begin, after, tuple(lines), waits, in_the_way, batch, doing)


def _migrations(work: Work, step: Step) -> Iterable[tuple[str, str]]:
    """Yield the migrations of a plan with where each stands: committed, under way, stopped, to come."""
    under_way = step.progress.get("number", 0)
    over = {StepState.FAILED: "failed", StepState.INTERRUPTED: shown_as(step), StepState.RUNNING: "running"}
    for number, entry in enumerate(work.job.run.plan["migrations"], start=1):
        if number <= work.job.applied:
            yield entry["name"], "succeeded"
        elif number == under_way:
            yield entry["name"], over.get(StepState(step.state), "pending")
        else:
            yield entry["name"], "pending" if step.state == StepState.RUNNING else "not-reached"


def _found(works: Iterable[Work]) -> Iterable[Found]:
    for work in works:
        for stage in work.rail:
            for step in stage.attempts:
                evidence = evidence_of(step)
                is_shown_above = stage.is_current and step is stage.step and not evidence
                if step.finished_at is not None and not is_shown_above:
                    took = step.finished_at - step.started_at if step.started_at else None
                    yield Found(step, shown_as(step), took, evidence, is_open=step.state == StepState.FAILED)


def _asked(
    wanted: Iterable[str], approvals: Sequence[Approval], deciders: Mapping[str, Sequence[str]]
) -> Iterable[Asked]:
    """Yield what is asked for, each approval counting once."""
    left = [one for one in approvals if one.verdict == Decided.APPROVED]
    for role, count in Counter(wanted).items():
        names = tuple(name for name, worn in deciders.items() if role in worn)
        for _ in range(count):
            given = next((one for one in left if one.role == role), None)
            if given is not None:
                left.remove(given)
            yield Asked(f"One {ROLE_NAMES.get(role, role)}", given, names)


def _not_deciding(run: MigrationRun) -> Iterable[tuple[User, str]]:
    yield run.requested_by, "requested it"
    for author in run.authors.all():
        if author.user_id != run.requested_by_id:
            yield author.user, "wrote part of it"


def _is_final(run: MigrationRun, successor: MigrationRun | None, now: datetime) -> bool:
    """Whether this page will not change any more by itself."""
    if run.state in RUN_ACTIVE:
        return False
    if run.state != RunState.SUPERSEDED or successor is not None or run.finished_at is None:
        return True
    return now - run.finished_at > SUCCESSOR_WAIT
