"""The verdicts of a run that somebody wants to stop or to rest, and of one that waits for a lock."""

from collections.abc import Sequence

from deployments.models import Job, MigrationRun
from deployments.models.run import CancelOutcome
from deployments.selectors.blockers import blockers_told
from deployments.selectors.pausing import Pause
from deployments.selectors.rail import MIGRATE, Stage
from deployments.selectors.verdict_parts import Fact, Verdict, Work, effect, in_force
from deployments.states import RunState

BECAME = {
    CancelOutcome.NOT_BEGUN: "Nothing had begun to change.",
    CancelOutcome.ROLLED_BACK: "Rolled back: the file under way changed nothing.",
    CancelOutcome.UNFINISHED: (
        "What the file under way had done before stays; an unfinished index is dropped by the next attempt."
    ),
    CancelOutcome.BETWEEN: "Nothing was under way: it stopped between two files.",
    CancelOutcome.COMMITTED: (
        "Already committed: the cancel came too late for it. The way back is a rollback of this run."
    ),
}
"""What became of a cancel, as the executor found out."""
CANCELLED, TERMINATED = "57014", "57P01"
ANSWERS = {
    CANCELLED: "The server confirmed the cancel.",
    TERMINATED: "The server ended the session, because the statement did not end by itself.",
}
"""How the server ended what was under way, by its SQLSTATE."""


def cancelling(run: MigrationRun, work: Work, facts: Sequence[Fact]) -> Verdict:
    """Return the verdict of a run that was asked to stop and has not ended: how far that is."""
    job, stage = work.job, work.current
    told = [Fact("Asked", at=run.cancel_requested_at, is_ago=True)]
    if job.cancel_seen_at:
        told.append(Fact("Seen by the executor", at=job.cancel_seen_at, is_ago=True))
    if job.cancel_ended_at:
        say = f"{answer_of(job)} {BECAME.get(CancelOutcome(job.cancel_outcome), '')}".strip()
        shown = "rolling-back" if job.cancel_outcome == CancelOutcome.ROLLED_BACK else "cancelling"
        ended = Fact("Ended", at=job.cancel_ended_at, is_ago=True)
        return Verdict(
            shown, say, "The executor looks once more at the database, then the run is over.", (*told, ended)
        )
    who = f"Cancel asked by {run.cancel_requested_by}."
    stays = "What is committed stays. A transaction under way is rolled back."
    if not job.cancel_seen_at:
        say = f"{who} The executor has not seen it yet."
        return Verdict("cancelling", say, stays, (*told, *facts))
    if stage is not None and stage.name == MIGRATE:
        say = f"{who} The server is asked to end the statement; after two seconds its session is ended."
    else:
        say = f"{who} The executor stops {stage.name if stage else 'what it does'} as soon as it safely can."
    return Verdict("cancelling", say, stays, (*told, *facts))


def answer_of(job: Job) -> str:
    """Return how what was under way was ended, as a sentence; "" if nothing had to be."""
    if not job.cancel_answer:
        return ""
    return ANSWERS.get(job.cancel_answer, f"The server ended it (SQLSTATE {job.cancel_answer}).")


def cancel_ended(run: MigrationRun, works: Sequence[Work]) -> tuple[str, tuple[Fact, ...]]:
    """Return what became of a cancel of a run that is over, as sentences and facts; nothing if nobody asked."""
    if run.cancel_requested_at is None:
        return "", ()
    facts = [Fact("Cancel asked", at=run.cancel_requested_at)]
    job = next((one.job for one in works if one.job.cancel_outcome), None)
    if job is not None:
        facts += [Fact("Executor saw it", at=job.cancel_seen_at)] if job.cancel_seen_at else []
        facts.append(Fact("It had ended", at=job.cancel_ended_at))
        return f"{answer_of(job)} {BECAME[CancelOutcome(job.cancel_outcome)]}".strip(), tuple(facts)
    if run.state == RunState.SUCCEEDED:
        late = "it was too late, everything was done. The way back is a rollback of this run."
        return f"{run.cancel_requested_by} asked to cancel it: {late}", tuple(facts)
    if run.state == RunState.FAILED:
        return f"{run.cancel_requested_by} asked to cancel it; it had failed before that was obeyed.", tuple(facts)
    return "", tuple(facts)


def paused(run: MigrationRun, works: Sequence[Work], pause: Pause) -> Verdict:
    """Return the verdict of a run that rests, or will at the next place where it can."""
    facts = [Fact("In force", in_force(run, works)), Fact("Asked", at=pause.asked_at)]
    if not pause.is_resting:
        facts.append(Fact("By", pause.by))
        return Verdict(
            "pausing", f"{pause.by} asked it to pause. {pause.rest.words}", f"“{pause.reason}”", tuple(facts)
        )
    facts.insert(1, Fact("Paused since", at=pause.since, is_ago=True))
    held = (
        f"Until it is resumed, cancelled or rolled back it keeps {pause.holder.database.name}: no other run writes."
        if pause.holder
        else "It keeps no database from others: what it has not begun may be overtaken, and is then planned anew."
    )
    return Verdict("paused", f"Paused by {pause.by}. {effect(run, works)}", f"“{pause.reason}” {held}", tuple(facts))


def waits_for_lock(stage: Stage, facts: Sequence[Fact], plain: str) -> Verdict | None:
    """Return the verdict of a run whose statement waits for sessions of others now, None if it does not."""
    told = blockers_told(stage.step) if stage.step else ()
    if not told:
        return None
    first, *others = told
    more = f" and {len(others)} more" if others else ""
    say = f"Waits for a lock: {first.who}{more} {'are' if others else 'is'} in the way."
    return Verdict("waiting-for-lock", say, plain, tuple(facts))
