"""What can be done about a run now, by whom, and why not: a table from its state to its doors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from checks.policy import Unmet
from deployments.authority import Action, eligible, may
from deployments.models import MigrationRun, User
from deployments.models.run import RunKind
from deployments.selectors.run_verdict import Work
from deployments.selectors.runs import reverting
from deployments.states import RUN_ACTIVE, RunState

APPROVE, START, CANCEL, RESOLVE, ROLL_BACK = "approve", "start", "cancel", "resolve", "rollback"
DOORS: dict[str, tuple[str, ...]] = {
    RunState.AWAITING: (APPROVE, START, CANCEL),
    RunState.QUEUED: (CANCEL, ROLL_BACK),
    RunState.RUNNING: (CANCEL, ROLL_BACK),
    RunState.NEEDS_ATTENTION: (RESOLVE, ROLL_BACK),
    RunState.SUCCEEDED: (ROLL_BACK,),
    RunState.FAILED: (ROLL_BACK,),
    RunState.CANCELLED: (ROLL_BACK,),
    RunState.REJECTED: (),
    RunState.SUPERSEDED: (),
}
"""Which doors a run has in each state. A door that is closed is shown with its reason."""

ACTIONS = {
    APPROVE: Action.DECIDE,
    START: Action.REQUEST,
    CANCEL: Action.CANCEL,
    RESOLVE: Action.RESOLVE,
    ROLL_BACK: Action.ROLL_BACK,
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
) -> tuple[Door, ...]:
    """Return the doors of a run for a person, in the order of its state. `deciders` may still approve."""
    found = []
    for key in DOORS[run.state]:
        if key == APPROVE and not run.plan["requirements"]["approvals"]:
            continue
        label, why = _words(key, run, works)
        blocked = _by_the_run(key, run, works, unmet, reverted_by)
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


def _words(key: str, run: MigrationRun, works: Sequence[Work]) -> tuple[str, str]:
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
        case "cancel":
            begun = any(one.job.claims for one in works)
            return (
                f"Cancel run {run}…",
                "What is committed stays." if begun else "Nothing was started; nothing changes.",
            )
        case "resolve":
            return f"Decide how {run} goes on…", "Run again, or give up. Both are explained first."
    return f"Roll back {target_of(run)}…", "Shows first what happens, what is lost and how long it takes."


def _by_the_run(
    key: str, run: MigrationRun, works: Sequence[Work], unmet: Sequence[Unmet], reverted_by: Sequence[MigrationRun]
) -> str:
    """Return why nobody can do this now, or ""."""
    if key == START:
        return " ".join(one.text for one in unmet)
    if key == CANCEL and run.cancel_requested_at:
        return f"{run.cancel_requested_by} asked for it already. The run says itself how it ended."
    return _no_way_back(run, works, reverted_by) if key == ROLL_BACK else ""


def _no_way_back(run: MigrationRun, works: Sequence[Work], reverted_by: Sequence[MigrationRun]) -> str:
    if run.kind != RunKind.DEPLOY:
        return "A way back is not rolled back: deploy again instead."
    if done := reverting(reverted_by):
        return f"Run {done} has rolled it back already."
    if run.state in RUN_ACTIVE:
        return "Not while the run is open. Cancel it or let it end first."
    if not any(one.job.applied for one in works):
        return "Nothing to undo: nothing was applied."
    return ""
