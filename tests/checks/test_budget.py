"""How long the application may wait: the default, what a policy asks for, and what a script asks for beyond it."""

import pytest

from checks.budget import DEFAULT, asked_by_script, asks_for_more, with_asked
from checks.comments.directives import Kind, directives
from checks.policy import PolicyUnreadable, blocking_budget, requirements
from checks.policy.collisions import Collision, Response
from checks.risk import Risk
from checks.statements import parse


def test_a_policy_names_what_differs_and_the_rest_stays():
    assert blocking_budget({"blocking_budget": {"oldest_seconds": 0.5}}) == DEFAULT | {"oldest_seconds": 0.5}
    assert blocking_budget({"blocking_budget": {"wal_bytes": None}})["wal_bytes"] is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"oldest_seconds": 0},
        {"oldest_seconds": -1},
        {"oldest_seconds": None},  # a migration without a limit is what we are against
        {"oldest_seconds": True},
        {"oldest_seconds": float("inf")},
        {"oldest_seconds": float("nan")},
        {"oldest_seconds": 601},
        {"connections_percent": 101},
        {"oldest": 1},
        [],
    ],
)
def test_a_budget_without_a_limit_or_with_an_unknown_one_is_refused_with_the_policy(wrong):
    with pytest.raises(PolicyUnreadable):
        requirements({"blocking_budget": wrong}, protected=False, risk=Risk.SAFE)


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("oldest=5s total=1min", {"oldest_seconds": 5.0, "total_seconds": 60.0}),
        ("total=90s", {"total_seconds": 90.0}),
        ("OLDEST=1500ms", {"oldest_seconds": 1.5}),
    ],
)
def test_a_script_says_how_long_the_application_may_wait_for_it(said, asked):
    assert asked_by_script(said) == asked


@pytest.mark.parametrize("said", ["", "5s", "oldest=5", "oldest=5s please", "oldest=11min", "oldest=0s", "longest=5s"])
def test_what_cannot_be_read_is_told_and_asks_for_nothing(said):
    assert isinstance(asked_by_script(said), str)


def test_a_script_raises_the_budget_and_never_lowers_it():
    more, less = with_asked(DEFAULT, [{"oldest_seconds": 5.0}]), with_asked(DEFAULT, [{"oldest_seconds": 0.1}])

    assert (more["oldest_seconds"], less["oldest_seconds"]) == (5.0, 1.0)
    assert (asks_for_more(more, DEFAULT), asks_for_more(less, DEFAULT)) == (True, False)


def test_the_comment_needs_a_reason_and_applies_to_the_whole_file():
    text = "-- locktender: budget oldest=5s: The table is small and the night is quiet\nALTER TABLE a ADD b int;"
    (told,) = directives(parse(text))
    (without,) = directives(parse("-- locktender: budget oldest=5s\nALTER TABLE a ADD b int;"))

    assert (told.kind, told.argument, told.statement) == (Kind.BUDGET, "oldest=5s", -1)
    assert (without.kind, "the reason why" in without.problem) == (Kind.UNREADABLE, True)


def test_what_is_done_about_a_collision_is_the_policys_and_protected_environments_do_not_only_warn():
    usual = requirements({}, protected=True, risk=Risk.SAFE).collisions
    other = requirements({"collisions": {"running-dump": "refuse"}}, protected=True, risk=Risk.SAFE).collisions
    unprotected = requirements({}, protected=False, risk=Risk.SAFE).collisions

    assert (usual[Collision.RUNNING_DUMP], other[Collision.RUNNING_DUMP]) == (Response.WAIT, Response.REFUSE)
    assert set(unprotected.values()) == {Response.WARN}
    for wrong in ({"low-disk": [1]}, {"dump": "wait"}, {"running-dump": "ignore"}, ["running-dump"]):
        with pytest.raises(PolicyUnreadable):
            requirements({"collisions": wrong}, protected=True, risk=Risk.SAFE)
