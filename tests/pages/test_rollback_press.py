"""A press of the way back: once, by who may, and only for what was read."""

import pytest

from deployments.actors import person
from deployments.models import Job, MigrationRun, PeriodicTask
from deployments.services.policy import change_policy
from tests.pages import made
from tests.pages.deployed import ADDED, COMMENTED, deployed, read, released
from tests.pages.forms import fields_in, form_on, has_form

LATER = {"003_more": ("CREATE TABLE more (id bigint)", "DROP TABLE more")}
TARGET = "rewards/production"


def path_of(run):
    return f"/runs/{run.number}/rollback/"


def html_of(client, run):
    return client.get(path_of(run)).content.decode()


def form_of(client, run, **typed):
    return form_on(client, path_of(run), "press") | {"reason": "It broke"} | typed


def backs():
    return MigrationRun.objects.filter(kind="rollback")


def test_what_loses_nothing_takes_no_typed_name_and_starts_at_once(cast, browse):
    run = deployed(cast, COMMENTED)
    client = browse(cast.noor)
    assert "confirm" not in form_of(client, run)
    assert "you, alone" in html_of(client, run)

    answer = client.post(path_of(run), form_of(client, run))

    back = backs().get()
    assert (answer.status_code, answer["Location"]) == (303, f"/runs/{back.number}/")
    assert (back.state, back.reverts, back.requested_by, back.reason) == ("queued", run, cast.noor, "It broke")
    assert back.jobs.get().database == cast.rewards_prod


def test_what_needs_an_approval_is_asked_for_and_not_started(cast, browse):
    run = deployed(cast, ADDED)
    client = browse(cast.noor)

    answer = client.post(path_of(run), form_of(client, run, confirm=TARGET))

    back = backs().get()
    assert answer["Location"] == f"/runs/{back.number}/"
    assert back.state == "awaiting"
    assert not back.jobs.exists()


@pytest.mark.parametrize("typed", ["", "rewards_prod"])
def test_a_loss_takes_the_typed_environment(cast, browse, typed):
    run = deployed(cast, ADDED)
    client = browse(cast.noor)

    answer = client.post(path_of(run), form_of(client, run, confirm=typed))

    assert answer.status_code == 422
    assert fields_in(answer.content.decode(), "press")["reason"] == "It broke"
    assert not backs().exists()


def test_a_press_without_a_reason_does_nothing(cast, browse):
    run = deployed(cast, COMMENTED)
    client = browse(cast.noor)

    assert client.post(path_of(run), form_of(client, run, reason=" ")).status_code == 422
    assert not backs().exists()


def test_a_double_press_makes_one_run_and_leads_to_it_twice(cast, browse):
    run = deployed(cast, COMMENTED)
    client = browse(cast.noor)
    form = form_of(client, run)

    answers = [client.post(path_of(run), form) for _ in range(2)]

    back = backs().get()
    assert [(one.status_code, one["Location"]) for one in answers] == [(303, f"/runs/{back.number}/")] * 2
    assert Job.objects.filter(run=back).count() == 1


def test_two_people_who_press_make_one_run(cast, browse):
    run = deployed(cast, COMMENTED)
    noor, lee = browse(cast.noor), browse(cast.lee)
    forms = [form_of(noor, run), form_of(lee, run)]

    first, second = noor.post(path_of(run), forms[0]), lee.post(path_of(run), forms[1])

    assert (first.status_code, second.status_code) == (303, 409)
    html = second.content.decode()
    assert f"Run #{backs().get().number} is the way back already, and is not over." in html
    assert not has_form(html, "press")


def test_a_run_with_something_on_top_names_it_and_cannot_be_pressed(cast, browse):
    run = deployed(cast, COMMENTED)
    client = browse(cast.noor)
    form = form_of(client, run)
    released(cast, COMMENTED | LATER)
    read(cast, COMMENTED | LATER)

    html = html_of(client, run)
    answer = client.post(path_of(run), form)

    assert "After those of run #1 these were applied: 003_more." in html
    assert not has_form(html, "press")
    assert answer.status_code == 409
    assert "not-on-top" in answer.content.decode()
    assert not backs().exists()


def test_a_form_of_a_way_back_that_is_another_now_is_refused_and_the_reason_kept(cast, browse):
    run = deployed(cast, COMMENTED)
    client = browse(cast.noor)
    form = form_of(client, run, reason="Half a thought")
    rules = {"approvals": {"safe": ["dba"]}}
    change_policy(cast.production, rules=rules, reason="Two pairs of eyes", actor=person(cast.lee))

    answer = client.post(path_of(run), form)

    html = answer.content.decode()
    assert answer.status_code == 409
    assert "What would run on rewards/production is no longer what you saw" in html
    assert not backs().exists()
    again = fields_in(html, "press")
    assert again["reason"] == "Half a thought"
    assert client.post(path_of(run), again).status_code == 303
    assert backs().get().state == "awaiting"


def test_what_has_been_rolled_back_is_not_offered_again(cast, browse):
    run = deployed(cast, COMMENTED)
    client = browse(cast.noor)
    client.post(path_of(run), form_of(client, run))
    acts = made.Executor(backs().get())
    read(cast, {})
    acts.close("succeeded", applied=1)

    html = html_of(client, run)

    assert "Run #2 has rolled it back already." in html
    assert not has_form(html, "press")


def test_a_run_that_still_goes_on_is_not_rolled_back_yet(cast, browse):
    run = made.running(cast).job.run

    html = html_of(browse(cast.noor), run)

    assert "Run #1 is running. Pause or cancel it, or let it end first, then come back." in html
    assert not has_form(html, "press")


def test_who_may_not_sees_why_and_who_can_and_a_forged_press_does_nothing(cast, browse):
    run = deployed(cast, COMMENTED)
    form = form_of(browse(cast.noor), run)
    client = browse(cast.dana)

    html = html_of(client, run)
    answer = client.post(path_of(run), form)

    assert "You may not roll back this run: that takes the role DBA or On-call" in html
    assert "Who can: lee, noor." in html
    assert not has_form(html, "press")
    assert answer.status_code == 403
    assert not backs().exists()


def test_only_who_may_roll_back_has_the_targets_read(cast, browse):
    run = deployed(cast, COMMENTED)
    PeriodicTask.objects.all().delete()

    assert browse(cast.dana).post(path_of(run), {"read": "1"}).status_code == 403
    assert not PeriodicTask.objects.exists()
