"""What an onlooker says of an application that stood still is what happened to it."""

import pytest

from demo import pulse
from demo.pulse import SIGNS, Pulse
from tests.demo.programs import eventually


def drawn(*answers: float) -> Pulse:
    """Return a pulse that has seen healthy answers at these moments."""
    seen = Pulse(dict)
    seen.answers.extend(answers)
    return seen


def test_the_longest_time_between_two_healthy_answers_is_told():
    assert drawn(0.0, 0.1, 2.4, 2.5).longest == pytest.approx(2.3)
    assert drawn(5.0).longest == 0.0
    assert drawn().longest == 0.0


def test_the_line_is_low_while_it_answers_and_high_for_as_long_as_it_does_not():
    answers = [*(one / 10 for one in range(21)), *(5 + one / 10 for one in range(21))]

    line = drawn(*answers).line()

    assert line == SIGNS[0] * 4 + SIGNS[-1] * 7 + SIGNS[0] * 4
    assert drawn().line() == ""


def test_an_answer_that_is_not_healthy_and_none_at_all_count_as_no_answer(monkeypatch):
    monkeypatch.setattr(pulse, "PAUSE_SECONDS", 0.001)
    said = [{"http": 200}]
    asked = []

    def ask():
        asked.append(said[0])
        return said[0]

    with Pulse(ask) as seen:
        for bad in ({"http": 503}, {}):
            said[0], before = bad, len(asked)
            eventually(lambda: len(asked) >= before + 2)  # noqa: B023 # asked at once
            count, before = len(seen.answers), len(asked)
            eventually(lambda: len(asked) >= before + 5)  # noqa: B023
            assert len(seen.answers) == count
        said[0] = {"http": 200}

    assert len(seen.answers) > count
    assert seen.longest > 0
