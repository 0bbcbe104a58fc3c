"""The verdict of a run: the one sentence that matters now, one plain one, and a few facts."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from checks.integrity.verdicts import Verdict as Judged
from checks.policy import Unmet
from deployments.models import MigrationRun
from deployments.models.approval import Verdict as Decided
from deployments.models.run import RunKind
from deployments.selectors.bill import in_short
from deployments.selectors.doing import doing_of, slow, waits_for_others
from deployments.selectors.drains import open_drain
from deployments.selectors.pausing import Pause
from deployments.selectors.rail import MIGRATE, NOT_PROVEN, PROVEN, SWAP, Stage, how_far
from deployments.selectors.runs import failed_afterwards, reverting
from deployments.selectors.stopping import cancel_ended, cancelling, paused, waits_for_lock
from deployments.selectors.verdict_parts import Fact, Verdict, Work, effect, in_force
from deployments.states import JobState, RunState

DOES = {
    "preflight": "It looks at the database, the store and the application.",
    "backup": "It dumps the database and reads the dump to its end.",
    "count": "It counts what the scripts drop, and which rows would not fit the old schema.",
    "application": "It asks the deployment system to bring the earlier version of the application back.",
    "keep": "It keeps what the rollback scripts destroy, up to a limit.",
    "checks before": "It notes what must hold afterwards.",
    MIGRATE: "Each migration is committed together with its history row.",
    "checks after": "It asks whether everything still holds.",
    "stop writes": "New sessions of the application only read from here on, if that was asked for.",
    "restore": "A new database is made beside the application's, which works on.",
    "price": "It counts what was written since.",
    SWAP: "Everybody is sent out, and the new database gets the name of the old one.",
    "differences": "It counts in the old database, which is kept, what was lost.",
    "smoke": "It asks what the application needs.",
    "health check": "It asks the application whether it is well.",
    "watch": "It stays with the application for a while.",
}
ASKS = "Waits for approval by "  # so begins what `unmet` says of an approval
WHY = {
    "over-budget": "The guard stopped it, because the application waited too long for it.",
    "statement-failed": "The database refused a statement.",
    "lock-not-obtained": "A lock was not to be had in time.",
    "guard-lost": "The guard lost its session, and without a guard nothing runs.",
    "layout-lock-held": "The team's own migration tool was running.",
    "integrity-failed": "Checks failed.",
    "smoke-failed": "Smoke checks failed.",
    "unhealthy": "The application is unhealthy.",
    "disk-too-small": "The store has too little room for the backup.",
    "step-overdue": "A step took longer than it may.",
    "target-unreachable": "The database could not be reached.",
    "fence-ahead": "The database knows more than the control database does.",
    "copied-database": "The database is a copy of another one.",
    "in-doubt": "It was given up, and what the database did is not known for sure.",
}
"""Why a job stopped, by the code of its error. The error's own text follows."""

WAITS_FOR_A_PERSON: dict[str, str] = {
    JobState.NEEDS_ATTENTION: " That run needs a person first.",
    JobState.QUEUED: " It is paused, and goes on when somebody resumes it.",
}
"""What is said of a job that holds a slot and does not go on by itself, by its state."""


def verdict_of(
    run: MigrationRun,
    works: Sequence[Work],
    unmet: Sequence[Unmet],
    now: datetime,
    *,
    reverted_by: Sequence[MigrationRun] = (),
    pause: Pause | None = None,
) -> Verdict:
    """Return the verdict of a run as it stands."""
    back = reverting(reverted_by)
    if back is not None:
        facts = (Fact("Had applied", in_force(run, works)), *_times(run, works))
        say = f"Rolled back by run {back}{failed_afterwards(back)}."
        return Verdict("rolled-back", say, "Nothing of this run is in force any more.", facts)
    if run.state == RunState.AWAITING:
        return _awaiting(run, unmet)
    if pause is not None and (pause.is_resting or not any(one.lost for one in works)):
        return paused(run, works, pause)
    if run.state == RunState.RUNNING:
        return _running(run, works, now)
    told = {RunState.QUEUED: _queued, RunState.NEEDS_ATTENTION: _in_doubt, RunState.SUCCEEDED: _succeeded}
    return told.get(RunState(run.state), _ended)(run, works)


def _awaiting(run: MigrationRun, unmet: Sequence[Unmet]) -> Verdict:
    asked = (Fact("Asked", at=run.created_at), Fact("In force", "nothing of this plan"))
    if unmet:
        return Verdict(run.state, _waits(unmet), "Nothing was started and nothing changed.", asked)
    return Verdict("ready", "Ready to start: nothing is unmet.", "It waits for a person to start it.", asked)


def _waits(unmet: Sequence[Unmet]) -> str:
    """Return what is unmet as few sentences: the approvals in one."""
    people = [one.text.removeprefix(ASKS).rstrip(".") for one in unmet if one.text.startswith(ASKS)]
    told = [one.text for one in unmet if not one.text.startswith(ASKS)]
    return " ".join([*told, *([f"{ASKS}{' and '.join(people)}."] if people else [])])


def _queued(run: MigrationRun, works: Sequence[Work]) -> Verdict:
    facts = (Fact("In force", in_force(run, works)), Fact("Asked", at=run.created_at))
    if drain := open_drain():
        plain = f"{effect(run, works)} {drain.reason} It begins when the drain is ended, and can be cancelled."
        return Verdict(run.state, "Waits, because nothing new is started: Locktender is drained.", plain, facts)
    blocked = next((one for one in works if one.blocked_by is not None), None)
    if blocked is None or blocked.blocked_by is None:
        return Verdict(
            run.state, "Queued: the next free executor takes it.", f"{effect(run, works)} It can be cancelled.", facts
        )
    other = blocked.blocked_by
    doubt = WAITS_FOR_A_PERSON.get(other.state, "")
    return Verdict(
        run.state,
        f"Waits for run {other.run}, which holds {blocked.job.database.name}.",
        f"{effect(run, works)} It goes on by itself when that run is over.{doubt}",
        facts,
    )


def _running(run: MigrationRun, works: Sequence[Work], now: datetime) -> Verdict:
    work = next((one for one in works if one.job.state == JobState.RUNNING), works[0])
    beat = work.job.heartbeat_at
    facts = [Fact("In force", in_force(run, works))]
    if work.job.started_at:
        facts.append(Fact("Started", at=work.job.started_at))
    if beat:
        facts.append(Fact("Last sign of life", at=beat, is_ago=True))
    if work.lost and beat:
        silent = int((now - beat).total_seconds())
        return Verdict(
            "lost-executor",
            f"No sign of life for {silent}\u00a0s. Nothing new was started.",
            "The next executor first looks at what the database did, and goes on from there by itself.",
            tuple(facts),
        )
    if run.cancel_requested_at and run.cancel_requested_by:
        return cancelling(run, work, facts)
    stage = work.current
    if stage is None or stage.step is None:
        return Verdict(run.state, "An executor takes over.", f"{effect(run, works)} It can be cancelled.", tuple(facts))
    where = f" on {work.job.database.name}" if len(works) > 1 else ""
    far = how_far(stage.step)
    say = f"{stage.name.capitalize()}{where}: {far}." if far else f"{stage.name.capitalize()}{where} is running."
    facts.insert(1, Fact("Step", f"{stage.position} of {len(work.rail)}, {stage.name}"))
    plain = f"{DOES.get(stage.name, '')} {_if_cancelled(work, stage)}".strip()
    shown = "rolling-back" if run.kind == RunKind.ROLLBACK else run.state
    doing = doing_of(stage.step, run.judgement)
    return (
        waits_for_lock(stage, facts, plain)
        or waits_for_others(stage, facts)
        or slow(stage, doing, now, facts, plain)
        or Verdict(shown, say, plain, tuple(facts))
    )


def _if_cancelled(work: Work, stage: Stage) -> str:
    """Return what cancelling would do now."""
    if work.job.run.kind == RunKind.RESTORE:
        before = stage.position <= next(one.position for one in work.rail if one.name == SWAP)
        left = "leaves the application's database as it is" if before else "only ends the looking: it is exchanged"
        return f"Cancelling {left}."
    place = next((one.position for one in work.rail if one.name == MIGRATE), 0)
    if not place:
        return "Nothing changes in the target. Cancelling drops the clone, and proves nothing."
    if stage.position < place:
        return "Nothing has changed yet, and cancelling leaves it so."
    if stage.position == place:
        return "Cancelling rolls back the transaction under way; what is committed stays."
    return "The migrations are committed: cancelling only ends the looking."


def _in_doubt(run: MigrationRun, works: Sequence[Work]) -> Verdict:
    work = next((one for one in works if one.job.state == JobState.NEEDS_ATTENTION), works[0])
    planned = len(run.plan["migrations"])
    return Verdict(
        run.state,
        "We do not know what the database did.",
        work.job.error,
        (
            Fact("Known in force", f"at least {work.job.applied} of {planned} on {work.job.database.name}"),
            Fact("To decide", "run again, confirm, or give up"),
            Fact("Since", at=work.current.step.finished_at if work.current and work.current.step else None),
        ),
    )


def _succeeded(run: MigrationRun, works: Sequence[Work]) -> Verdict:
    if run.kind == RunKind.REHEARSAL:
        told = " ".join(stage.step.summary for work in works for stage in work.rail if stage.step)
        shown = NOT_PROVEN if any(one.shown == NOT_PROVEN for work in works for one in work.rail) else PROVEN
        return Verdict(shown, told, "Nothing was changed in the target.", tuple(_times(run, works)))
    stages = [one for work in works for one in work.rail if one.name in {"health check", "watch"}]
    measured = any(one.shown == RunState.SUCCEEDED for one in stages)
    health = "The application answered healthy." if measured else "Health was not measured."
    too_late, asked = cancel_ended(run, works)
    facts = (Fact("In force", in_force(run, works)), *_times(run, works), *asked)
    if differs := [sentence for work in works for sentence in _schema_differs(work)]:
        say = f"{effect(run, works)} {' '.join(differs)} {health}"
        return Verdict(run.state, say, "Look at what differs, and correct it in a new migration.", facts)
    return Verdict(run.state, f"{effect(run, works)} {health}", too_late or "Nothing is to be done.", facts)


def _schema_differs(work: Work) -> Iterator[str]:
    """Yield that the way back did not leave the schema as it was, if so."""
    for stage in work.rail:
        told = stage.step.evidence.get("schema", {}) if stage.step else {}
        if told.get("verdict") == Judged.FAILED:
            yield f"{work.job.database.name}: {told['sentence']}"


def _ended(run: MigrationRun, works: Sequence[Work]) -> Verdict:
    facts = (Fact("In force", in_force(run, works)), *_times(run, works))
    job = next((one.job for one in works if one.job.error_code), None)
    done = effect(run, works)
    if run.state == RunState.REJECTED:
        no = next((one for one in run.approvals.all() if one.verdict == Decided.REJECTED), None)
        who = f"Rejected by {no.approver}" if no else "Rejected"
        comment = f"“{no.comment}”" if no and no.comment else "No comment was given."
        return Verdict(run.state, f"{done} {who}.", comment, facts)
    if run.state == RunState.SUPERSEDED:
        told = job.error if job else "Another run took its place before it started."
        return Verdict(run.state, f"{done} The plan no longer fits the database.", told, facts)
    if run.state == RunState.CANCELLED:
        by = f" by {run.cancel_requested_by}" if run.cancel_requested_by else ""
        became, asked = cancel_ended(run, works)
        began = any(one.job.claims for one in works)
        told = (job.error if job else "") or ("It was paused then." if began else "It was cancelled before it began.")
        return Verdict(run.state, f"{done} Cancelled{by}.", became or told, (*facts, *asked))
    work = next((one for one in works if one.job.error_code), works[0])
    stage = work.current
    why = WHY.get(work.job.error_code) or f"The step {stage.name if stage else ''} failed."
    if stage is not None:
        facts = (facts[0], Fact("Failed step", f"{stage.position} of {len(work.rail)}, {stage.name}"), *facts[1:])
        bill = stage.step.evidence.get("bill") if stage.step else None
        if bill and (bill["most_waiting"] or bill["over"]):
            why = f"{why} Bill: {in_short(bill)}."
    too_late, asked = cancel_ended(run, works)
    return Verdict(run.state, f"{done} {why}", f"{work.job.error} {too_late}".strip(), (*facts, *asked))


def _times(run: MigrationRun, works: Sequence[Work]) -> tuple[Fact, ...]:
    started = min((one.job.started_at for one in works if one.job.started_at), default=None)
    facts = [Fact("Started", at=started) if started else Fact("Started", "never")]
    if run.finished_at:
        facts.append(Fact("Ended", at=run.finished_at))
    return tuple(facts)
