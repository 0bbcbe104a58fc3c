"""What can be done about a run now, by whom, and why not: a table from its state to its doors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from checks.policy import Unmet
from deployments.authority import Action, eligible, may
from deployments.models import MigrationRun, User
from deployments.models.run import RunKind
from deployments.selectors.pausing import Pause, rests
from deployments.selectors.restores import closed, source_of
from deployments.selectors.runs import reverting
from deployments.selectors.verdict_parts import Work
from deployments.states import OCCUPYING, RUN_ACTIVE, JobState, RunState

APPROVE, START, PAUSE, RESUME, CANCEL = "approve", "start", "pause", "resume", "cancel"
RESOLVE, ROLL_BACK, RESTORE = "resolve", "rollback", "restore"
DOORS: dict[str, tuple[str, ...]] = {
    RunState.AWAITING: (APPROVE, START, CANCEL),
    RunState.QUEUED: (PAUSE, RESUME, CANCEL, ROLL_BACK),
    RunState.RUNNING: (PAUSE, RESUME, CANCEL, ROLL_BACK),
    RunState.NEEDS_ATTENTION: (RESOLVE, ROLL_BACK),
    RunState.SUCCEEDED: (ROLL_BACK,),
    RunState.FAILED: (ROLL_BACK,),
    RunState.CANCELLED: (ROLL_BACK,),
    RunState.REJECTED: (),
    RunState.SUPERSEDED: (),
}
"""Which doors a run has in each state, of pause and resume the one. A closed door is shown with its reason."""

ACTIONS = {
    APPROVE: Action.DECIDE,
    START: Action.REQUEST,
    PAUSE: Action.PAUSE,
    RESUME: Action.PAUSE,
    CANCEL: Action.CANCEL,
    RESOLVE: Action.RESOLVE,
    ROLL_BACK: Action.ROLL_BACK,
    RESTORE: Action.RESTORE,
}

REST_WORDS = {
    PAUSE: "It rests where nothing is half done, until somebody resumes it.",
    RESUME: "The executor first looks whether the world is as it was.",
}


@dataclass(frozen=True, slots=True)
class Door:
    """One action of a run: open, or closed with its reason and who can."""

    key: str
    label: str
    why: str  # the consequence
    blocked: str = ""
    who: tuple[str, ...] = ()


def doors(
    user: User,
    run: MigrationRun,
    works: Sequence[Work],
    *,
    unmet: Sequence[Unmet],
    reverted_by: Sequence[MigrationRun],
    deciders: Iterable[str],
    pause: Pause | None = None,
) -> tuple[Door, ...]:
    """Return the doors of a run for a person, in the order of its state. `deciders` may still approve."""
    found = []
    for key in DOORS[run.state]:
        if key == APPROVE and not run.plan["requirements"]["approvals"]:
            continue
        if key == (PAUSE if pause else RESUME) or (key == ROLL_BACK and run.kind == RunKind.REHEARSAL):
            continue
        if key == ROLL_BACK and run.kind == RunKind.RESTORE:
            key = RESTORE  # noqa: PLW2901 # its way back is the database that it replaced
        label, why = _words(key, run, works)
        blocked = _by_the_run(key, run, works, unmet=unmet, reverted_by=reverted_by, pause=pause)
        who: tuple[str, ...] = ()
        if not blocked and not (decision := may(user, ACTIONS[key], run)):
            blocked = decision.reason
            who = tuple(deciders if key == APPROVE else (one.username for one in eligible(ACTIONS[key], run)))
        found.append(Door(key, label, why, blocked, who))
    return tuple(found)


def target_of(run: MigrationRun) -> str:
    """Return what a run acts on, as its buttons name it: the database, or with several the environment."""
    databases = run.plan["databases"]
    return str(databases[0]["name"]) if len(databases) == 1 else str(run.environment)


def _words(key: str, run: MigrationRun, works: Sequence[Work]) -> tuple[str, str]:  # noqa: PLR0911 # one per door
    count = len(run.plan["migrations"])
    script = "1 script" if count == 1 else f"{count} scripts"
    match key:
        case "approve":
            return f"Decide about {run}", "Leads to the plan and the form. A no ends the run."
        case "start":
            return (
                f"Start {run} on {target_of(run)}",
                f"Runs {script}, one after the other, as soon as an executor is free.",
            )
        case "pause" | "resume":
            return f"{key.capitalize()} run {run}…", REST_WORDS[key]
        case "cancel":
            begun = any(one.job.claims for one in works)
            return (
                f"Cancel run {run}…",
                "What is committed stays." if begun else "Nothing was started; nothing changes.",
            )
        case "resolve":
            return f"Decide how {run} goes on…", "Run again, or give up. Both are explained first."
        case "restore":
            return f"Take back what {run} replaced…", "Shows first what was written since, which is lost then."
    return f"Roll back {target_of(run)}…", "Shows first what happens, what is lost and how long it takes."


def _by_the_run(
    key: str,
    run: MigrationRun,
    works: Sequence[Work],
    *,
    unmet: Sequence[Unmet],
    reverted_by: Sequence[MigrationRun],
    pause: Pause | None,
) -> str:
    """Return why nobody can do this now, or ""."""
    if key == START:
        return " ".join(one.text for one in unmet)
    if key == CANCEL and run.cancel_requested_at and not _only_waits(works):
        return f"{run.cancel_requested_by} asked for it already. The run says itself how it ended."
    if key in {PAUSE, RESUME} and run.cancel_requested_at:
        return "It was asked to stop: it does not go on."
    if key == RESTORE:
        return closed(run, source_of(run))
    if key == PAUSE and not (rest := rests(run)).is_possible:
        return rest.words
    is_resting = pause is not None and pause.is_resting
    return _no_way_back(run, works, reverted_by, is_resting=is_resting) if key == ROLL_BACK else ""


def _only_waits(works: Sequence[Work]) -> bool:
    """Whether something is queued and nothing under way: a cancel that is asked again ends that at once."""
    states = {one.job.state for one in works}
    return JobState.QUEUED in states and not states & OCCUPYING


def _no_way_back(
    run: MigrationRun, works: Sequence[Work], reverted_by: Sequence[MigrationRun], *, is_resting: bool
) -> str:
    if run.kind != RunKind.DEPLOY:
        return "A way back is not rolled back: deploy again instead."
    if done := reverting(reverted_by):
        return f"Run {done} has rolled it back already."
    if run.state in RUN_ACTIVE and not is_resting:
        return "Not while the run is open. Pause or cancel it, or let it end first."
    if not any(one.job.applied for one in works):
        return "Nothing to undo: nothing was applied."
    return ""
