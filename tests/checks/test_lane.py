"""When one person takes a way back alone, and what a policy says about one that begins by itself."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from checks.policy import PolicyUnreadable, Requirements, requirements, way_back
from checks.policy.lane import ALONE_FOR, Circumstances, second_person, standing
from checks.rehearsal.proof import Outcome
from checks.risk import Risk

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ENDED = NOW - timedelta(hours=1)
GOOD = Circumstances(
    run="#7",
    given=("dba", "architect"),
    outcome=Outcome.RESTORES,
    sentence="restores everything",
    ended_at=ENDED,
    since="",
    uncounted=False,
    beyond="",
)


def test_what_was_proven_and_approved_and_loses_nothing_takes_one_person_for_a_day():
    found = standing(GOOD, asked=("dba",), now=NOW)

    assert (found.alone, found.until, found.is_asked) == (True, ENDED + ALONE_FOR, True)
    assert "#7" in found.why


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"outcome": None}, "It was not rehearsed with exactly these scripts."),
        ({"outcome": Outcome.LOSES, "sentence": "restores the schema and loses 3 rows of a"}, "loses 3 rows of a."),
        ({"outcome": Outcome.NOT_PROVEN, "sentence": "not proven: index a"}, "not proven: index a."),
        ({"given": ()}, "does not cover it: a DBA would be asked for it."),
        ({"given": ("architect",)}, "does not cover it: a DBA would be asked for it."),
        ({"since": "#9"}, "Run #9 has run there since."),
        ({"ended_at": NOW - ALONE_FOR - timedelta(seconds=1)}, "Run #7 ended more than 24 hours ago."),
        ({"uncounted": True}, "What the scripts drop was not counted lately."),
        ({"beyond": "2 rows of a are lost."}, "2 rows of a are lost."),
    ],
)
def test_a_second_person_decides_where_one_of_it_is_missing(other, why):
    found = standing(replace(GOOD, **other), asked=("dba",), now=NOW)

    assert not found.alone
    assert found.why.endswith(why)
    assert found.until is None


def test_approvals_cover_a_way_back_only_where_its_own_class_would_ask_for_no_more():
    assert standing(GOOD, asked=("dba", "architect"), now=NOW).alone
    assert not standing(GOOD, asked=("dba", "dba"), now=NOW).alone


def test_where_the_policy_asks_nobody_nothing_has_to_be_proven():
    found = standing(replace(GOOD, outcome=None, given=(), uncounted=True), asked=(), now=NOW)

    assert (found.alone, found.is_asked, found.until) == (True, False, None)


def test_a_run_that_is_not_over_has_not_been_over_for_a_day():
    assert standing(replace(GOOD, ended_at=None), asked=("dba",), now=NOW).alone


@pytest.mark.parametrize(
    ("asked", "second"), [((), ()), (("architect", "dba"), ("dba",)), (("architect",), ("architect",))]
)
def test_one_second_person_is_enough_and_a_dba_rather_than_an_architect(asked, second):
    assert second_person(asked) == second


def test_by_default_nothing_is_rolled_back_by_itself_and_a_policy_names_after_what():
    assert requirements({}, protected=True, risk=Risk.HIGH).automatic_rollback == ()
    needs = requirements({"automatic_rollback": ["unhealthy"]}, protected=True, risk=Risk.HIGH)

    assert needs.automatic_rollback == ("unhealthy",)
    assert Requirements.of_plan(needs.as_plan()) == needs
    assert way_back(needs).automatic_rollback == ()
    older = {name: value for name, value in needs.as_plan().items() if name != "automatic_rollback"}
    assert Requirements.of_plan(older).automatic_rollback == ()


@pytest.mark.parametrize("rule", [True, ["over-budget"], "unhealthy", None])
def test_a_failure_that_left_a_migration_unfinished_is_not_one_of_them(rule):
    with pytest.raises(PolicyUnreadable):
        requirements({"automatic_rollback": rule}, protected=True, risk=Risk.HIGH)
