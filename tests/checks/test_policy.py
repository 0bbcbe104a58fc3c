"""What a plan needs, and what of it is unmet."""

from datetime import UTC, datetime

import pytest

from checks.policy import Given, PolicyUnreadable, Requirements, requirements, unmet
from checks.risk import Risk

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DEFAULT_APPROVALS = [
    (Risk.SAFE, ()),  # a standard change: the policy itself is signed
    (Risk.CONTROLLED, ("dba",)),
    (Risk.HIGH, ("dba", "architect")),
]


@pytest.mark.parametrize(("risk", "roles"), DEFAULT_APPROVALS)
def test_a_protected_environment_asks_by_class(risk, roles):
    needs = requirements({}, protected=True, risk=risk)

    assert needs.approvals == roles
    assert (needs.staging_first, needs.rollback, needs.backup, needs.watch_seconds) == (True, True, True, 600)


@pytest.mark.parametrize("risk", list(Risk))
def test_an_unprotected_environment_asks_nothing(risk):
    needs = requirements({}, protected=False, risk=risk)

    assert needs == Requirements((), staging_first=False, rollback=False, backup=False, watch_seconds=0)
    assert unmet(needs, given=[], missing_in_staging=["001"], now=NOW) == ()


def test_a_policy_may_ask_for_no_backup_and_a_shorter_watch():
    needs = requirements({"backup": False, "watch_seconds": 5}, protected=True, risk=Risk.SAFE)

    assert (needs.backup, needs.watch_seconds) == (False, 5)
    assert Requirements.of_plan(needs.as_plan()) == needs


def test_a_policy_may_ask_for_more():
    needs = requirements({"approvals": {"safe": ["dba", "dba"]}}, protected=True, risk=Risk.SAFE)

    waits = unmet(needs, given=[Given("lee", "dba")], missing_in_staging=[], now=NOW)

    assert [one.text for one in waits] == ["Waits for approval by 1 DBA."]


@pytest.mark.parametrize(
    ("given", "rules"),
    [
        ([], ["approval-architect", "approval-dba"]),
        ([Given("lee", "dba")], ["approval-architect"]),
        ([Given("lee", "dba"), Given("max", "dba")], ["approval-architect"]),  # two of one kind are not two kinds
        ([Given("lee", "dba"), Given("mika", "architect")], []),
    ],
)
def test_a_high_risk_plan_waits_for_two_kinds_of_eyes(given, rules):
    needs = requirements({"staging_first": False}, protected=True, risk=Risk.HIGH)

    assert [one.rule for one in unmet(needs, given=given, missing_in_staging=[], now=NOW)] == rules


def test_what_is_missing_in_staging_is_named():
    needs = requirements({}, protected=True, risk=Risk.SAFE)

    (wait,) = unmet(needs, given=[], missing_in_staging=["002_points", "001_ledger"], now=NOW)

    assert wait.text == "Not yet in every earlier environment: 001_ledger, 002_points."


@pytest.mark.parametrize(
    "rules",
    [
        {"approvals": {"unheard-of": []}},
        {"approvals": {"safe": ["administrator"]}},
        {"approvals": {"safe": "dba"}},
        {"approvals": {"safe": [["dba"]]}},
        {"approvals": ["dba"]},
        {"staging_first": "yes"},
        {"backup": 1},
        {"watch_seconds": -1},
        {"watch_seconds": 86_401},
        {"watch_seconds": True},
        {"watch_seconds": "60"},
        {"bakcup": False},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(rules):
    with pytest.raises(PolicyUnreadable, match="The policy cannot be read"):
        requirements(rules, protected=True, risk=Risk.SAFE)
