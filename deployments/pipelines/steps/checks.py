"""The two steps around a migration: the queries of its verify scripts, and what must hold without anybody asking."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Literal

from checks.integrity.invariants import Found, compared, noted, row_changes
from checks.integrity.questions import Check, Form, expectations
from checks.integrity.verdicts import Answer, Verdict, judge_after, judge_before, makes_names, removes_names
from deployments.errors import DeploymentError
from deployments.models import Script, Step
from deployments.models.run import RunKind
from deployments.pipelines.asking import Wanted, ask_all, checks_in_words, failures_in_words, name_of, patiently
from deployments.pipelines.contract import StepContext, StepResult
from deployments.pipelines.restored import compare_with_before, note_schema
from deployments.postgres.connect import Session
from deployments.postgres.invariants import look
from deployments.postgres.verify import CHECK_LIMIT
from deployments.states import StepState

BEFORE, AFTER = "checks before", "checks after"
NOTHING = "Nothing was looked at: none of the tables that the plan touches exists."
MEANS_BEFORE = "Nothing was changed there. Correct the script or the data, sync, and ask for a new run."
MEANS_AFTER = "The migrations are committed and stay. Look at what was found; the way back is a rollback of this run."
MEANS_AFTER_ROLLBACK = "The rollback is committed and stays. Look at what was found, and correct it in a new migration."


class IntegrityFailed(DeploymentError):
    """Checks around a migration failed. `evidence` holds all of them, also those that passed."""

    code = "integrity-failed"

    def __init__(self, *, target: str, failed: Sequence[str], meaning: str, evidence: Mapping[str, Any]) -> None:
        self.evidence = evidence
        super().__init__(f"{failures_in_words(target, failed)} {meaning}")


@dataclass(frozen=True, slots=True)
class CheckIntegrity:
    """Ask and look before or after the scripts of a plan. It changes nothing.

    A second attempt looks again: the step before the scripts has ended well before the first of them starts, so what
    it noted is never taken anew once something was changed.
    """

    when: Literal["before", "after"]
    timeout: timedelta = timedelta(minutes=30)
    check_limit: timedelta = CHECK_LIMIT
    counting_limit: timedelta = timedelta(minutes=5)

    @property
    def name(self) -> str:
        """What pages call it."""
        return BEFORE if self.when == "before" else AFTER

    def run(self, ctx: StepContext) -> StepResult:
        """Return every verdict as evidence. Raises IntegrityFailed, which has the same, if one of them is a failure."""
        evidence = self._evidence(ctx)
        schema = self._schema(ctx)
        kept = evidence | {"schema": schema}
        restored = schema.get("sentence", "")
        if failed := list(_failures(evidence)):
            meaning = f"{restored} {self._meaning(ctx)}".strip()
            raise IntegrityFailed(target=ctx.target.name, failed=failed, meaning=meaning, evidence=kept)
        told = checks_in_words(
            evidence["checks"],
            none="No query is to be compared." if self._compares_only(ctx) else "There is no verify script.",
            noted="to be compared afterwards",
        )
        is_looked_at = any(evidence.values())
        summary = f"{restored} {told} {_counts_in_words(evidence) if is_looked_at else NOTHING}".strip()
        is_compared = schema.get("verdict", Verdict.NOT_MEASURED) != Verdict.NOT_MEASURED
        return StepResult(summary=summary, evidence=kept, is_skipped=not is_looked_at and not is_compared)

    def settled(self, _ctx: StepContext) -> StepResult | None:
        """Nothing to settle: it only looks."""
        return None

    def _evidence(self, ctx: StepContext) -> dict[str, Any]:
        wanted = list(self._wanted(ctx))

        def see(opened: Session) -> tuple[list[dict[str, Any]], Found]:
            answered = ask_all(ctx, opened, wanted, limit=self.check_limit)
            return answered, look(opened, ctx.plan["touches"], stop=ctx.control, time_limit=self.counting_limit)

        checks, found = patiently(ctx, see)
        if self.when == "before":
            return {"checks": checks, **noted(found)}
        before = Found.of_evidence(ctx.evidence_of(BEFORE))
        return {"checks": checks, **compared(before, found, row_changes(_scripts(ctx)))}

    def _schema(self, ctx: StepContext) -> dict[str, Any]:
        """Note the schema, and say after a way back whether it is again what it was."""
        noted = note_schema(ctx, is_left=self.when == "after")
        if self.when == "before":
            return noted
        restored = compare_with_before(ctx, noted, before=BEFORE, after=AFTER)
        return noted | (restored.as_evidence() if restored else {})

    def _compares_only(self, ctx: StepContext) -> bool:
        """Only a finished deployment has the shape that the other checks describe."""
        return self.when == "before" or _is_way_back(ctx)

    def _wanted(self, ctx: StepContext) -> Iterator[Wanted]:
        """Yield what is asked here, and what its answer will mean."""
        scripts = _scripts(ctx)
        makes, removes = [makes_names(one) for one in scripts], [removes_names(one) for one in scripts]
        noted_before = _answers(ctx.evidence_of(BEFORE))
        original = _original_answers(ctx)
        for place, entry in enumerate(ctx.plan["migrations"]):
            for check in _verify(entry):
                if check.form is not Form.UNCHANGED and self._compares_only(ctx):
                    continue
                key = entry["name"], check.number
                if self.when == "before":
                    judge = partial(judge_before, is_made_earlier=any(makes[:place]), is_way_back=_is_way_back(ctx))
                else:
                    judge = partial(
                        judge_after,
                        check,
                        before=noted_before.get(key),
                        original=original.get(key),
                        is_removed_later=any(removes[place + 1 :]),
                        was_refused=_is_way_back(ctx) and key not in noted_before,
                    )
                yield Wanted(script=entry["name"], check=check, judge=judge)

    def _meaning(self, ctx: StepContext) -> str:
        if self.when == "before":
            return MEANS_BEFORE
        return MEANS_AFTER_ROLLBACK if _is_way_back(ctx) else MEANS_AFTER


def _is_way_back(ctx: StepContext) -> bool:
    return bool(ctx.plan["kind"] == RunKind.ROLLBACK)


def _scripts(ctx: StepContext) -> list[str]:
    """Return the texts of what the plan runs, in its order."""
    part = "rollback" if _is_way_back(ctx) else "forward"
    return [Script.objects.get(pk=entry[part]).text() for entry in ctx.plan["migrations"]]


def _verify(entry: Mapping[str, Any]) -> tuple[Check, ...]:
    return expectations(Script.objects.get(pk=entry["verify"]).text()) if entry["verify"] else ()


def _answers(evidence: Mapping[str, Any]) -> dict[tuple[str, int], Answer]:
    """Return what was answered, by migration and number of the check."""
    return {
        (entry["migration"], entry["number"]): Answer(rows=entry["rows"], fingerprint=entry["fingerprint"])
        for entry in evidence.get("checks", ())
        if "fingerprint" in entry
    }


def _original_answers(ctx: StepContext) -> dict[tuple[str, int], Answer]:
    """Return what was answered before the run that is rolled back, where the verify script is still the same."""
    run = ctx.job.run.reverts
    if run is None:
        return {}
    steps = Step.objects.filter(job__run=run, job__database=ctx.job.database_id, name=BEFORE, state=StepState.SUCCEEDED)
    step = steps.order_by("-attempt").first()
    known = {(entry["name"], entry["verify"]) for entry in run.plan["migrations"]}
    same = {entry["name"] for entry in ctx.plan["migrations"] if (entry["name"], entry["verify"]) in known}
    return {key: one for key, one in _answers(step.evidence if step else {}).items() if key[0] in same}


def _failures(evidence: Mapping[str, Any]) -> Iterator[str]:
    """Yield what failed, each as a sentence."""
    kinds = {"constraints": "Constraint", "indexes": "Index", "orphans": "Foreign key"}
    for entry in evidence["checks"]:
        if entry["verdict"] == Verdict.FAILED:
            yield f"{name_of(entry)}: {entry['detail']}"
    for part, kind in kinds.items():
        for entry in evidence[part]:
            if entry["verdict"] == Verdict.FAILED:
                yield f"{kind} {entry['name']} of {entry['table']}: {entry['detail']}"


def _counts_in_words(evidence: Mapping[str, Any]) -> str:
    """Return how much of what could be counted was counted."""
    tables = [entry for entry in evidence["rows"] if not entry["is_gone"]]
    missing = sum(entry["count"] is None for entry in tables)
    estimated = sum(entry["is_estimate"] for entry in tables)
    counted = len(tables) - missing - estimated
    told = f"{counted} {'table' if counted == 1 else 'tables'} counted"
    told += f", {estimated} estimated" if estimated else ""
    told += f", {missing} not measured" if missing else ""
    keys = sum(entry["count"] is None for entry in evidence["orphans"] if not entry["is_gone"])
    return f"{told}." + (f" {keys} foreign {'key' if keys == 1 else 'keys'} not measured." if keys else "")
