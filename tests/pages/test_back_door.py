"""Somebody else changed the history of a database: an alarm, until a DBA says what it was."""

import pytest
from django.db import DatabaseError, transaction

from deployments.models import AlarmAnswer, AuditEvent, HistoryAlarm
from deployments.services.back_door import end_alarms
from deployments.states import JobState
from tests.deployments.cast import Cast
from tests.pages import made, story
from tests.pages.forms import form_on, has_form
from tests.pages.markup import faults

ONE = {"20261101_points_currency": made.TWO["20261101_points_currency"]}
TWO = made.TWO
THEIRS = {"20261109_theirs": "CREATE TABLE theirs (id int)"}


def read(cast: Cast, applied, **fields):
    return story.read(cast.rewards_prod, applied, **fields)


def alarms() -> list[tuple[str, str]]:
    return list(HistoryAlarm.objects.order_by("id").values_list("kind", "migration"))


def page_of(cast: Cast) -> str:
    return f"/databases/{cast.rewards_prod.pk}/back-door/"


def shown(browse, person, path: str) -> str:
    answer = browse(person).get(path)
    html = answer.content.decode()
    assert answer.status_code == 200, html
    assert faults(html) == []
    return html.replace("<wbr>", "")


def test_what_was_there_at_the_first_reading_raises_no_alarm_and_what_comes_by_hand_does(cast):
    read(cast, ONE | THEIRS)
    read(cast, ONE | THEIRS)
    assert alarms() == []

    read(cast, TWO | THEIRS)
    read(cast, TWO | THEIRS)

    assert alarms() == [("foreign", "20261102_points_fill")]
    told = AuditEvent.objects.get(action="database.history-changed")
    assert (told.object_id, told.after["migration"]) == (str(cast.rewards_prod.pk), "20261102_points_fill")


def test_our_own_runs_and_their_way_back_raise_none(cast):
    run = made.succeeded(cast)
    read(cast, TWO)
    back = made.approve(cast, made.rollback(cast, run))
    acts = made.Executor(made.start(back, actor=made.person(cast.dana)))
    acts.walk("migrate")
    acts.commit(2)
    read(cast, {})
    acts.end(acts.job.steps.get(state="running"))
    acts.close(JobState.SUCCEEDED, applied=2)
    read(cast, {})

    assert alarms() == []

    read(cast, ONE)  # the team's own tool ran again

    assert alarms() == [("foreign", "20261101_points_currency")]


def test_what_somebody_applies_after_a_run_of_ours_failed_is_not_taken_for_ours(cast):
    made.failed(cast)  # with one of two applied, and nobody read it since it began

    read(cast, TWO)

    assert alarms() == [("foreign", "20261102_points_fill")]


def test_a_doubt_that_a_person_gave_up_accuses_nobody(cast):
    run = made.in_doubt(cast)  # about the second of two
    made.move_job(run.jobs.get(), JobState.FAILED, actor=made.person(cast.noor), reason="It was cut")

    read(cast, TWO)

    assert alarms() == []


def test_a_row_of_ours_that_is_gone_or_other_names_the_run_that_had_applied_it(cast, browse):
    run = made.succeeded(cast)
    changed = TWO | {"20261101_points_currency": "SELECT 1"}
    read(cast, changed)
    read(cast, {})

    assert alarms() == [
        ("changed", "20261101_points_currency"),
        ("gone", "20261101_points_currency"),
        ("gone", "20261102_points_fill"),
    ]
    html = shown(browse, cast.dana, page_of(cast))
    assert f'applied by <a href="/runs/{run.number}/">run #{run.number}</a>' in html
    assert "no run of Locktender took it back" in html


def test_a_reading_that_is_older_than_the_one_before_it_accuses_no_run_of_ours(cast):
    read(cast, {})
    earlier = read(cast, {}).observed_at
    made.succeeded(cast)
    read(cast, {}, begun_at=earlier)  # a slow reader, whose answer came last
    read(cast, TWO)

    assert alarms() == []


def test_an_alarm_is_on_every_page_that_asks_for_attention_until_a_dba_ends_it_with_a_reason(cast, browse):
    story.release(cast, TWO)
    read(cast, ONE)
    read(cast, TWO)
    database = f"/databases/{cast.rewards_prod.pk}/"
    for person in (cast.dana, cast.lee):
        assert "Somebody changed the history past Locktender: 1 alarm." in shown(browse, person, database)
        assert "1 applied by somebody else" in shown(browse, person, "/databases/")
        assert "its history was changed past Locktender" in shown(browse, person, "/")
    assert "One thing needs you: one change by somebody else." in shown(browse, cast.lee, "/")
    assert "Nothing needs you." in shown(browse, cast.dana, "/")
    assert not has_form(shown(browse, cast.dana, page_of(cast)), "end")
    sent = form_on(browse(cast.lee), page_of(cast), "end")
    read(cast, TWO | THEIRS)  # another one, which nobody has looked at

    without = browse(cast.lee).post(page_of(cast), sent | {"reason": " "})
    forbidden = browse(cast.dana).post(page_of(cast), sent | {"reason": "Mine"})
    answer = browse(cast.lee).post(page_of(cast), sent | {"reason": "Hotfix of Friday, CHG-7"})
    twice = browse(cast.lee).post(page_of(cast), sent | {"reason": "Again"})

    assert [one.status_code for one in (without, forbidden, answer, twice)] == [422, 403, 302, 409]
    ended = AlarmAnswer.objects.get()
    assert (ended.alarm.migration, ended.answered_by, ended.reason) == (
        "20261102_points_fill",
        cast.lee,
        "Hotfix of Friday, CHG-7",
    )
    told = AuditEvent.objects.get(action="database.alarm-ended")
    assert (told.actor_name, told.reason) == ("lee", "Hotfix of Friday, CHG-7")
    html = shown(browse, cast.lee, page_of(cast))
    assert "Hotfix of Friday, CHG-7" in html
    assert "20261109_theirs" in html
    assert has_form(html, "end")


def test_an_alarm_that_was_ended_stays_ended_and_says_so(cast, browse):
    read(cast, ONE)
    read(cast, TWO)
    sent = form_on(browse(cast.lee), page_of(cast), "end") | {"reason": "Known"}
    browse(cast.lee).post(page_of(cast), sent)

    read(cast, TWO)
    read(cast, TWO)

    assert len(alarms()) == 1
    assert "No change of its history by somebody else is open." in shown(browse, cast.lee, page_of(cast))
    assert "Nothing needs you." in shown(browse, cast.lee, "/")


def test_what_comes_and_goes_while_its_alarm_is_open_raises_no_second_one(cast):
    read(cast, ONE)
    for applied in (TWO, ONE, TWO, ONE):
        read(cast, applied)

    assert len(alarms()) == 1


def test_what_another_life_of_this_control_plane_did_is_told_as_that_alone(cast):
    read(cast, ONE)
    row = {"run": 9, "job": 77, "fence": 9, "migration": "20261102_points_fill", "direction": "forward", "at": "x"}
    read(cast, TWO, ledger={"unknown": [77], "rows": [row]})

    assert alarms() == []


def test_a_database_that_nobody_read_or_not_for_long_is_never_called_untouched(cast, browse):
    html = shown(browse, cast.lee, page_of(cast))

    assert "is not known" in html
    assert "No change of its history" not in html

    read(cast, ONE)
    html = shown(browse, cast.lee, page_of(cast))
    assert "Whether somebody else changes its history is not known yet." in html
    assert "It was read once, and the next reading is compared with that one." in html
    assert "No change of its history" not in html

    read(cast, ONE)
    assert "No change of its history by somebody else is open." in shown(browse, cast.lee, page_of(cast))


def test_alarms_and_their_ends_are_never_changed_or_removed(cast):
    read(cast, ONE)
    read(cast, TWO)
    end_alarms(cast.rewards_prod, seen=HistoryAlarm.objects.get().pk, reason="Known", actor=made.person(cast.lee))

    for model in (HistoryAlarm, AlarmAnswer):
        kept = model.objects.all()
        for attempt in (lambda kept=kept: kept.update(id=9), lambda kept=kept: kept._raw_delete("default")):
            with pytest.raises(DatabaseError), transaction.atomic():
                attempt()
        assert model.objects.count() == 1
