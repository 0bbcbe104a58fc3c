"""Low-traffic windows: when they are open on local clocks, and what a plan that needs one waits for."""

from datetime import UTC, datetime, timedelta

import pytest

from checks.policy import PolicyUnreadable, Requirements, closed_window, requirements, unmet, way_back
from checks.policy.windows import next_opening, open_until, window_of
from checks.risk import Risk

NIGHT = {"days": ["sat", "sun"], "begin": "23:00", "end": "04:00", "timezone": "Europe/Ljubljana"}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-11-21 21:59", None),  # Saturday; Ljubljana is an hour ahead
        ("2026-11-21 22:00", "2026-11-22 03:00"),
        ("2026-11-22 02:59", "2026-11-22 03:00"),
        ("2026-11-22 03:00", None),
        ("2026-11-22 22:00", "2026-11-23 03:00"),  # it begins on Sunday and lasts into Monday
        ("2026-11-23 22:30", None),  # Monday
    ],
)
def test_a_window_is_open_on_local_clocks_and_over_midnight(now, until):
    assert open_until([window_of(NIGHT)], utc(now)) == (utc(until) if until else None)


def test_a_window_is_as_long_as_it_is_in_the_night_in_which_clocks_are_put_forward():
    every = window_of(NIGHT | {"days": ["sat"], "begin": "01:00"})  # ends on Saturday; the clocks change on Sunday
    changed = window_of(NIGHT | {"days": ["sun"], "begin": "01:00"})

    (begin, end), (begin_changed, end_changed) = (next(one.spans(utc("2026-03-29 12:00"))) for one in (every, changed))

    assert end - begin == timedelta(hours=3)
    assert end_changed - begin_changed == timedelta(hours=2)


def test_a_window_inside_the_hour_that_is_left_out_does_not_open_that_night():
    window = window_of(NIGHT | {"days": ["sun"], "begin": "02:30", "end": "03:00"})

    assert next_opening([window], utc("2027-03-27 12:00")) == utc("2027-04-04 00:30")


def test_the_next_opening_is_the_first_of_all_windows():
    windows = [window_of(NIGHT), window_of(NIGHT | {"days": ["wed"]})]

    assert next_opening(windows, utc("2026-11-23 12:00")) == utc("2026-11-25 22:00")
    assert next_opening([], utc("2026-11-23 12:00")) is None


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"days": []}, "the days of a window are of mon, tue"),
        ({"days": ["Sunday"]}, "the days of a window are of mon, tue"),
        ({"begin": "25:00"}, "'25:00' is no time of the day such as 01:30"),
        ({"timezone": "Mars/Olympus"}, "no timezone is called 'Mars/Olympus'"),
        ({"timezone": "../../etc/passwd"}, "no timezone is called"),
        ({"until": "04:00"}, 'a window has "days", "begin", "end" and "timezone"'),
    ],
)
def test_a_window_that_cannot_be_read_is_refused_with_the_policy(wrong, told):
    with pytest.raises(PolicyUnreadable, match=told):
        requirements({"windows": [NIGHT | wrong]}, protected=True, risk=Risk.SAFE)


def test_what_is_not_safe_waits_for_its_window_and_is_told_when_it_opens():
    needs = requirements({"windows": [NIGHT], "staging_first": False}, protected=False, risk=Risk.CONTROLLED)

    (wait,) = unmet(needs, given=[], missing_in_staging=[], now=utc("2026-11-23 12:00"))
    assert wait.rule == "window"
    assert wait.text == "Waits for its window: it opens on Saturday 2026-11-28 at 23:00 (Europe/Ljubljana)."
    assert unmet(needs, given=[], missing_in_staging=[], now=utc("2026-11-28 22:00")) == ()


def test_what_is_safe_waits_for_no_window_unless_the_application_is_to_wait_longer():
    safe = requirements({"windows": [NIGHT]}, protected=True, risk=Risk.SAFE)
    wanting = requirements({"windows": [NIGHT]}, protected=True, risk=Risk.SAFE, wants_more=True)

    assert (safe.windows, safe.approvals) == ((), ())
    assert (wanting.windows, wanting.approvals) == ((window_of(NIGHT),), ("dba",))


def test_a_way_back_waits_for_no_window_and_is_held_up_by_nothing():
    needs = way_back(requirements({"windows": [NIGHT]}, protected=True, risk=Risk.HIGH))

    assert closed_window(needs, utc("2026-11-23 12:00")) == ""
    assert set(needs.collisions.values()) == {"warn"}


def test_a_plan_keeps_its_windows_and_an_older_one_has_none():
    needs = requirements({"windows": [NIGHT]}, protected=True, risk=Risk.HIGH)
    older = {name: value for name, value in needs.as_plan().items() if name not in {"windows", "collisions"}}

    assert Requirements.of_plan(needs.as_plan()) == needs
    assert Requirements.of_plan(older).windows == ()
