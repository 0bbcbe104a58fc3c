"""Every wrong way back is seen, and the first difference is the one that is there."""

import pytest

from checks.rehearsal.proof import Outcome
from tests.rehearsal.bad import BAD


@pytest.mark.parametrize(("forward", "rollback", "expected"), [one[1:] for one in BAD], ids=[one[0] for one in BAD])
def test_a_wrong_way_back_is_not_proven(rehearse, forward: str, rollback: str, expected: str):
    proof = rehearse((forward, rollback))

    assert proof.outcome is Outcome.NOT_PROVEN
    assert expected in proof.problems[0]
    assert proof.sentence == f"not proven: {proof.problems[0]}"
