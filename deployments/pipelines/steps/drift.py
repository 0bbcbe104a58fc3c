"""Whether a target still has the schema that it is expected to have, right before a deploy changes it."""

from typing import Any

from checks.schema import Difference, IgnoreRules, Snapshot, difference
from checks.schema.snapshot import FORMAT
from deployments.errors import DeploymentError
from deployments.models import SchemaExpectation
from deployments.models.run import RunKind
from deployments.pipelines.contract import StepContext
from deployments.selectors.snapshots import ignore_rules, snapshot_of

NAMED = 5  # differences in words; the page of the database has all


class Drifted(DeploymentError):
    """Somebody changed a protected database past Locktender."""

    code = "drifted"

    def __init__(self, *, target: str, lines: list[str]) -> None:
        more = f"; and {len(lines) - NAMED} more" if len(lines) > NAMED else ""
        super().__init__(
            f"{target} does not have the schema that it is expected to have: {'; '.join(lines[:NAMED])}{more}. Nothing "
            "was changed. On the page of the database a DBA accepts it with a reason, or it is made a migration; then "
            "ask for a new run. A rollback is not held up."
        )


def see_to_drift(ctx: StepContext, seen: Snapshot, evidence: dict[str, Any]) -> list[str]:
    """Return in words whether the schema is as expected, and put it into the evidence.

    Raises Drifted before a deploy in a protected environment. A way back is never held up by it, only told.
    """
    expected = SchemaExpectation.objects.filter(database=ctx.job.database_id).select_related("snapshot").last()
    found = _difference(expected, seen, ignore_rules(ctx.job.run.environment))
    if found is None or found.why_not_comparable:
        why = "" if found is None else f" {found.why_not_comparable}"
        evidence["drift"] = {"stand": "unknown", "lines": []}
        return [f"Whether somebody changed the schema is not known.{why}"]
    lines = [line for change in found.changes for line in change.lines]
    evidence["drift"] = {"stand": "drifted" if lines else "in sync", "lines": lines[:100]}
    if not lines:
        return ["The schema is as expected."]
    ctx.log("The schema is not as expected: " + "; ".join(lines[:NAMED]))
    if ctx.plan["kind"] == RunKind.DEPLOY and ctx.job.run.environment.is_protected:
        raise Drifted(target=ctx.target.name, lines=lines)
    return [f"Warning: the schema is not as expected, in {len(found.changes)} object(s)."]


def _difference(expected: SchemaExpectation | None, seen: Snapshot, rules: IgnoreRules) -> Difference | None:
    if expected is None or expected.snapshot.format != FORMAT:
        return None
    if expected.snapshot.fingerprint == seen.fingerprint:
        return Difference()
    return difference(rules.filtered(snapshot_of(expected.snapshot)), rules.filtered(seen))
