"""What a plan needs, and what of it is unmet."""

import pytest

from checks.policy import Given, PolicyUnreadable, requirements, unmet
from checks.risk import Risk

DEFAULT_APPROVALS = [
    (Risk.SAFE, ()),  # a standard change: the policy itself is signed
    (Risk.CONTROLLED, ("dba",)),
    (Risk.HIGH, ("dba", "architect")),
]


@pytest.mark.parametrize(("risk", "roles"), DEFAULT_APPROVALS)
def test_a_protected_environment_asks_by_class(risk, roles):
    needs = requirements({}, protected=True, risk=risk)

    assert needs.approvals == roles
    assert (needs.staging_first, needs.rollback) == (True, True)


@pytest.mark.parametrize("risk", list(Risk))
def test_an_unprotected_environment_asks_nothing(risk):
    needs = requirements({}, protected=False, risk=risk)

    assert (needs.approvals, needs.staging_first, needs.rollback) == ((), False, False)
    assert unmet(needs, given=[], missing_in_staging=["001"]) == ()


def test_a_policy_may_ask_for_more():
    needs = requirements({"approvals": {"safe": ["dba", "dba"]}}, protected=True, risk=Risk.SAFE)

    waits = unmet(needs, given=[Given("lee", "dba")], missing_in_staging=[])

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

    assert [one.rule for one in unmet(needs, given=given, missing_in_staging=[])] == rules


def test_what_is_missing_in_staging_is_named():
    needs = requirements({}, protected=True, risk=Risk.SAFE)

    (wait,) = unmet(needs, given=[], missing_in_staging=["002_points", "001_ledger"])

    assert wait.text == "Not yet in every earlier environment: 001_ledger, 002_points."


@pytest.mark.parametrize(
    "rules",
    [
        {"approvals": {"unheard-of": []}},
        {"approvals": {"safe": ["administrator"]}},
        {"approvals": {"safe": "dba"}},
        {"approvals": ["dba"]},
        {"staging_first": "yes"},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(rules):
    with pytest.raises(PolicyUnreadable, match="The policy cannot be read"):
        requirements(rules, protected=True, risk=Risk.SAFE)
