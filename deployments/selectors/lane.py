"""What a way back by script stands on: what was rehearsed of its very scripts, who approved them, what came since."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from checks.dropped import dropped
from checks.policy.lane import Circumstances, Standing, standing
from checks.rehearsal.proof import Outcome
from deployments.models import Job, MigrationRun, Script
from deployments.models.approval import Verdict
from deployments.models.run import RunKind
from deployments.selectors.clock import database_now
from deployments.selectors.rehearsals import Proven, proofs_of
from deployments.selectors.script_price import ScriptCost, cost_of

TAKEN_ALONE = "run.rolled-back-alone"
"""The audit event by which others learn that one person, or the policy, took a way back without a second one."""
Entries = Sequence[Mapping[str, Any]]
"""Migrations as a plan names them: name, forward and rollback, the latter two by the SHA-256 of the script."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a rehearsal says of one database about a way back; `why` is why it says nothing of exactly these scripts."""

    proven: Proven
    why: str

    @property
    def outcome(self) -> Outcome | None:
        """One of the three outcomes; None where exactly this was not rehearsed."""
        return None if self.why or self.proven.proof is None else self.proven.proof.outcome

    @property
    def sentence(self) -> str:
        """The outcome with its reason, or why there is none."""
        return self.why or (self.proven.proof.sentence if self.proven.proof else "")


def tried(run: MigrationRun, back: Entries) -> tuple[Tried, ...]:
    """Return what is proven of going back from a run with these scripts, latest first, for each of its databases.

    A rehearsal is bound to whole scripts in one order. Of a run that applied a part, the same part was tried.
    """
    planned = run.plan["migrations"]
    newest = {entry["name"]: entry["rollback"] for entry in back}
    meant = [{**entry, "rollback": newest.get(entry["name"], entry["rollback"])} for entry in planned]
    return tuple(Tried(one, _why_untried(one, len(back), len(planned))) for one in proofs_of(run, meant))


def standing_of(run: MigrationRun, back: Entries, *, asked: Iterable[str]) -> Standing:
    """Return whether one person may go back from a run alone, by these scripts; `asked` by the policy for their class.

    What the database of a run that is not over was changed by is that run: nothing came since.
    """
    found = tried(run, back)
    worst = next((one for one in found if one.outcome is not Outcome.RESTORES), found[0] if found else None)
    scripts = Script.objects.in_bulk([entry["rollback"] for entry in back if entry["rollback"]])
    drops = dropped((entry["name"], scripts[entry["rollback"]].text()) for entry in back if entry["rollback"])
    cost, now = cost_of(run, back), database_now()
    is_covered = all(entry["rollback"] == _planned(run, entry["name"]) for entry in back)
    seen = Circumstances(
        run=str(run),
        given=_given(run) if is_covered else (),
        outcome=worst.outcome if worst else None,
        sentence=worst.sentence if worst else "",
        ended_at=run.finished_at,
        since=next_run(run),
        uncounted=bool(drops.drops or drops.untold) and not cost.is_fresh(now),
        beyond=_beyond(cost),
    )
    return standing(seen, asked=asked, now=now)


def next_run(run: MigrationRun) -> str:
    """Return the run that came after this one on one of its databases, "" if none did.

    A way back from it that changed nothing does not count.
    """
    places = run.jobs.filter(claims__gt=0).values("database_id")
    later = Job.objects.filter(database_id__in=places, writes=True, claims__gt=0, run__number__gt=run.number)
    first = later.exclude(run__reverts=run, applied=0).select_related("run").order_by("run__number").first()
    return str(first.run) if first else ""


def why_not_by_itself(run: MigrationRun, back: Entries, stands: Standing | None) -> str:
    """Return why a way back does not begin without a person, as a sentence; "" if it may."""
    for one in tried(run, back):
        if one.outcome is not Outcome.RESTORES:
            return f"its way back is {one.sentence}."
    if stands is None or not stands.alone:
        return stands.why if stands else "it is no way back."
    cost = cost_of(run, back)
    if not cost.is_counted:
        return f"what its scripts drop could not be counted. {cost.reason}".strip()
    return "something would be lost, or may be." if cost.loses else ""


def lapsed(run: MigrationRun) -> str:
    """Return why a rollback that one person asked for may not begin any more without a second one, "" if it may."""
    lane = run.plan.get("lane", {})
    if run.kind != RunKind.ROLLBACK or run.reverts is None or not lane.get("alone") or not lane.get("asked"):
        return ""
    now = standing_of(run.reverts, run.plan["migrations"], asked=lane["asked"])
    return "" if now.alone else f"{now.why} Cancel it and ask again: then a second person decides."


def _planned(run: MigrationRun, name: str) -> str | None:
    return next((entry["rollback"] for entry in run.plan["migrations"] if entry["name"] == name), None)


def _given(run: MigrationRun) -> tuple[str, ...]:
    return tuple(run.approvals.filter(verdict=Verdict.APPROVED).values_list("role", flat=True))


def _beyond(cost: ScriptCost) -> str:
    return cost.beyond if cost.is_counted else ""


def _why_untried(one: Proven, back: int, planned: int) -> str:
    if one.proof is None:
        return "not rehearsed with exactly these scripts"
    if back == planned or one.proof.outcome is Outcome.NOT_PROVEN:
        return ""
    where = f"the way back after {back} of {planned} migrations"
    is_tried = any(each.what == where and each.is_good for each in one.proof.tries)
    return "" if is_tried else f"not rehearsed after {back} of {planned} migrations"
