"""Every right way back is proven, and nothing else is said of it."""

import pytest

from checks.rehearsal.proof import Outcome
from tests.rehearsal.good import GOOD


@pytest.mark.parametrize(("forward", "rollback", "expected"), [one[1:] for one in GOOD], ids=[one[0] for one in GOOD])
def test_a_right_way_back_is_proven(rehearse, forward: str, rollback: str, expected: str):
    proof = rehearse((forward, rollback))

    assert (proof.problems, proof.sentence) == ((), expected)
    assert proof.outcome is (Outcome.RESTORES if expected == "restores everything" else Outcome.LOSES)
    assert all(one.is_good for one in proof.tries)
    assert proof.untried == ()
