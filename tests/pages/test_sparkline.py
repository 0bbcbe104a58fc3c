"""What a sparkline draws: a course as it was measured, no more points than can be seen, and nothing invented."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.views.sparkline import HEIGHT, MARGIN, MOST_POINTS, WIDTH, Sparkline, sparkline

BEGAN = datetime(2026, 11, 19, 3, 0, tzinfo=UTC)
BOTTOM = HEIGHT - MARGIN


def every(seconds: float, *values: float | None) -> list[tuple[datetime, float | None]]:
    return [(after(place * seconds), value) for place, value in enumerate(values)]


def after(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def points(drawn: Sparkline) -> list[list[tuple[float, float]]]:
    """Return the points of each part of the line."""
    parts = [part for part in drawn.line.split("M") if part]
    return [
        [(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", part.replace("h.01", ""))]
        for part in parts
    ]


def test_a_course_goes_from_edge_to_edge_on_a_scale_that_begins_at_zero():
    drawn = sparkline(every(5, 0, 50, 100))

    assert drawn.top == 200
    assert points(drawn) == [[(0, BOTTOM), (WIDTH / 2, 87), (WIDTH, 60)]]
    assert (drawn.gaps, drawn.times) == ((), (BEGAN, after(5), after(10)))


@pytest.mark.parametrize(
    ("highest", "top"), [(0, 1), (0.3, 0.4), (8.3, 10), (8.4, 20), (214, 300), (424, 600), (86_400_000, 200_000_000)]
)
def test_a_scale_ends_at_a_round_number_above_the_highest(highest, top):
    assert sparkline(every(5, 0, highest)).top == pytest.approx(top)


def test_the_level_is_on_the_scale_too():
    drawn = sparkline(every(5, 10, 10), level=100)

    assert (drawn.top, drawn.level) == (200, "60")
    assert sparkline(every(5, 10, 10)).level == ""


def test_nothing_measured_breaks_the_line_and_fills_the_gap_between_its_ends():
    drawn = sparkline(every(5, 1, 1, None, 1, 1))

    assert [[x for x, _ in part] for part in points(drawn)] == [[0, 250], [750, 1000]]
    assert drawn.gaps == (("250", "500"),)


def test_a_gap_may_be_first_or_last_or_all_there_is():
    assert sparkline(every(5, None, 1, 1)).gaps == (("0", "500"),)
    last = sparkline(every(5, 1, 1, None))
    assert (last.gaps, last.last) == ((("500", "500"),), "")
    whole = sparkline(every(5, None, None))
    assert (whole.line, whole.last, whole.gaps, whole.top) == ("", "", (("0", "1000"),), 1)


def test_one_value_between_two_gaps_is_seen():
    assert points(sparkline(every(5, None, 1, None, 1)))[0] == [(333.3, 60.0)]


def test_a_long_time_without_a_question_is_a_gap_as_well():
    values = [*every(5, 1, 1, 1, 1), *[(after(60 + second), 1.0) for second in (0, 5, 10)]]

    drawn = sparkline(values)

    assert len(points(drawn)) == 2
    assert len(drawn.gaps) == 1


def test_one_value_alone_is_a_dot_at_the_right_edge():
    drawn = sparkline(every(5, 214))

    assert points(drawn) == [[(WIDTH, 37)]]
    assert drawn.last == drawn.line
    assert sparkline([]) == Sparkline()


def test_a_span_is_cut_to_the_frame_and_open_without_an_end():
    spans = [(after(-60), after(5)), (after(5), None), (after(60), after(90))]

    assert sparkline(every(5, 1, 1, 1), spans=spans).spans == (
        ("0", "500", ("0", "500")),
        ("500", "500", ("500",)),
        ("1000", "0", ("1000", "1000")),
    )


def test_of_more_than_fit_the_highest_of_each_part_is_drawn():
    values = every(5, *[100.0] * 5000)
    values[2501] = (values[2501][0], 900.0)

    drawn = sparkline(values)

    (line,) = points(drawn)
    assert len(line) == MOST_POINTS
    assert min(y for _, y in line) == pytest.approx(BOTTOM - 108 * 900 / drawn.top, abs=0.1)


def test_a_gap_is_not_lost_among_more_than_fit():
    values = every(5, *[100.0] * 5000)
    values[2501] = (values[2501][0], None)

    drawn = sparkline(values)

    assert (len(points(drawn)), len(drawn.gaps)) == (1, 1)
    assert 495 < float(drawn.gaps[0][0]) < 505


@given(
    st.lists(st.tuples(st.floats(0, 100), st.none() | st.floats(0, 86_400_000, allow_subnormal=False)), max_size=600),
    st.none() | st.floats(0, 86_400_000),
)
def test_whatever_is_measured_is_drawn_inside_of_the_frame_and_bounded(steps, level):
    at, values = BEGAN, []
    for seconds, value in steps:
        at += timedelta(seconds=seconds)
        values.append((at, value))

    drawn = sparkline(values, level=level)

    drawn_points = [point for part in points(drawn) for point in part]
    assert all(0 <= x <= WIDTH and MARGIN <= y <= BOTTOM for x, y in drawn_points)
    assert len(drawn_points) <= MOST_POINTS
    assert len(drawn.gaps) <= 2 * MOST_POINTS + 1
    assert bool(drawn_points) == any(value is not None for _, value in values)
    assert bool(drawn.last) == bool(values and values[-1][1] is not None)
