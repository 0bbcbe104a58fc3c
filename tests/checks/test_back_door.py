"""What somebody else did to a history is told, and what our own jobs did, or may have done, is not."""

import pytest

from checks.back_door import Break, Deed, unexplained

ONE, TWO = {"001": "a"}, {"001": "a", "002": "b"}
DEPLOYED, TAKEN_BACK = Deed(applied={"002": "b"}), Deed(taken_back=frozenset({"002"}))
MAYBE, MAYBE_BACK = Deed(applied={"002": "b"}, is_certain=False), Deed(taken_back=frozenset({"002"}), is_certain=False)
FOREIGN, GONE, CHANGED = [(Break.FOREIGN, "002")], [(Break.GONE, "002")], [(Break.CHANGED, "002")]
OTHER = TWO | {"002": "c"}


def seen(before, after, *deeds, **how):
    return [(one.kind, one.migration) for one in unexplained(before, after, deeds, **how)]


@pytest.mark.parametrize(
    ("before", "after", "deeds", "found"),
    [
        (ONE, ONE, [], []),
        (ONE, TWO, [], FOREIGN),
        (TWO, ONE, [], GONE),
        (TWO, OTHER, [], CHANGED),
        # what a job did
        (ONE, TWO, [DEPLOYED], []),
        (ONE, OTHER, [DEPLOYED], FOREIGN),  # it was to be applied, and something else is
        (TWO, ONE, [TAKEN_BACK], []),
        (TWO, ONE, [DEPLOYED], GONE),  # its own reading has it; then somebody took it out
        (ONE, TWO, [TAKEN_BACK], FOREIGN),  # `migrate deploy` applied again what a way back had taken
        (ONE, TWO, [DEPLOYED, TAKEN_BACK], FOREIGN),
        (ONE, ONE, [DEPLOYED], [])  # nothing changed, so nothing is told; that it is missing is drift
        ,
        (TWO, OTHER, [TAKEN_BACK, Deed(applied={"002": "c"})], []),
        (ONE, {**TWO, "009": "z"}, [DEPLOYED], [(Break.FOREIGN, "009")]),
        # what a job that is at work, or that was given up in doubt, may have done
        (ONE, TWO, [MAYBE], []),
        (TWO, ONE, [TAKEN_BACK, MAYBE], []),
        (TWO, TWO, [TAKEN_BACK, MAYBE], []),
        (TWO, ONE, [MAYBE], GONE),
        (ONE, TWO, [MAYBE_BACK], FOREIGN),
        # a restore puts back what nobody knows
        (TWO, {"001": "z", "007": "y"}, [Deed(replaced=True)], []),
    ],
)  # fmt: skip
def test_a_change_is_told_exactly_if_no_job_of_ours_leads_to_it(before, after, deeds, found):
    assert seen(before, after, *deeds) == found


def test_of_two_readings_whose_order_is_not_known_neither_accuses_a_job_of_ours():
    assert seen(TWO, ONE, DEPLOYED, is_overlapped=True) == []
    assert seen(ONE, TWO, TAKEN_BACK, is_overlapped=True) == []
    assert seen(TWO, ONE, is_overlapped=True) == GONE


def test_checksums_before_and_after_are_told():
    (one,) = unexplained(TWO, OTHER, [])

    assert (one.before, one.after) == ("b", "c")
    assert [(two.before, two.after) for two in unexplained(ONE, TWO, [])] == [(None, "b")]
