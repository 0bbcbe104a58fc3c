"""The evidence of a step as facts and tables: what is left out is never what somebody must see."""

from deployments.models import Step
from deployments.selectors.evidence import MOST_ROWS, evidence_of


def index(name: str, verdict: str) -> dict[str, str]:
    return {"table": "points", "name": name, "verdict": verdict, "detail": ""}


def test_a_failed_check_is_not_among_the_rows_that_are_left_out():
    passed = [index(f"calm_{number}", "passed") for number in range(MOST_ROWS + 20)]

    (table,) = evidence_of(
        Step(evidence={"indexes": [*passed, index("unknown", "not measured"), index("broken", "failed")]})
    ).tables

    assert [row[0].value for row in table.rows[:3]] == ["points: broken", "points: unknown", "points: calm_0"]
    assert (len(table.rows), table.left_out) == (MOST_ROWS, 22)


def test_rows_that_are_all_shown_stay_in_their_order():
    (table,) = evidence_of(Step(evidence={"indexes": [index("a", "passed"), index("b", "failed")]})).tables

    assert [row[0].value for row in table.rows] == ["points: a", "points: b"]
