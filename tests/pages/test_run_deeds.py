"""Starting, cancelling, and deciding about a run in doubt: pressed once, twice, too late, and by who may not."""

import re

import pytest

from deployments.models import MigrationRun
from deployments.services.decide import request_cancel
from deployments.services.resolve import run_again
from deployments.states import JobState, RunState, StepState
from tests.pages import made
from tests.pages.markup import faults
from tests.pages.words import words


def form_of(answer, action):
    """Return what a browser would send for the form of this address."""
    form = re.search(rf'<form[^>]*action="{action}".*?</form>', answer.content.decode(), re.DOTALL)[0]
    fields = re.findall(r'<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?', form)
    return {name: value for name, value in fields if name != "csrfmiddlewaretoken"}


def press(client, page, action=None, **typed):
    """Open a page and send its form."""
    action = action or page
    return client.post(action, form_of(client.get(page), action) | typed)


def state_of(run):
    return MigrationRun.objects.get(pk=run.pk).state


def test_a_start_queues_the_run_and_leads_to_its_page(cast, browse):
    run = made.approved(cast)

    answer = press(browse(cast.dana), f"/runs/{run.number}/", f"/runs/{run.number}/start/")

    assert (answer.status_code, answer["Location"]) == (302, f"/runs/{run.number}/")
    assert state_of(run) == RunState.QUEUED
    assert run.jobs.count() == 1


def test_a_start_pressed_twice_starts_once_and_says_so(cast, browse):
    run = made.approved(cast)
    client, way = browse(cast.dana), f"/runs/{run.number}/start/"
    sent = form_of(client.get(f"/runs/{run.number}/"), way)
    client.post(way, sent)

    answer = client.post(way, sent)

    assert answer.status_code == 409
    assert faults(answer.content.decode()) == []
    assert "Nothing was started by this press. #1 cannot go from queued to queued." in words(answer)
    assert run.jobs.count() == 1


def test_a_start_before_everything_is_met_is_refused(cast, browse):
    run = made.requested(cast)

    answer = browse(cast.dana).post(
        f"/runs/{run.number}/start/", {"digest": run.digest, "request_key": run.request_key}
    )

    assert answer.status_code == 422
    assert "cannot start yet" in words(answer)
    assert state_of(run) == RunState.AWAITING


@pytest.mark.parametrize("digest", ["", "0" * 64])
def test_a_start_of_another_plan_than_was_read_is_refused(cast, browse, digest):
    run = made.approved(cast)

    answer = browse(cast.dana).post(f"/runs/{run.number}/start/", {"digest": digest, "request_key": run.request_key})

    assert answer.status_code == 409
    assert state_of(run) == RunState.AWAITING


def test_who_may_not_start_starts_nothing(cast, browse):
    run = made.approved(cast)
    sent = {"digest": run.digest, "request_key": run.request_key}

    assert browse(cast.ari).post(f"/runs/{run.number}/start/", sent).status_code == 403
    assert browse(cast.charlie).post(f"/runs/{run.number}/start/", sent).status_code == 404
    assert state_of(run) == RunState.AWAITING


def test_a_cancel_says_first_what_stays_and_is_then_asked_for(cast, browse):
    run = made.running(cast).job.run
    client, way = browse(cast.noor), f"/runs/{run.number}/cancel/"
    shown = words(client.get(way))
    assert shown.index("What is committed stays: 1 of 2 applied.") < shown.index(
        "Cancel run #1 on rewards_prod The page"
    )

    answer = press(client, way)

    run.refresh_from_db()
    assert (answer.status_code, answer["Location"]) == (302, f"/runs/{run.number}/")
    assert run.cancel_requested_by == cast.noor
    assert run.state == RunState.RUNNING


def test_a_cancel_of_what_never_ran_ends_it_at_once(cast, browse):
    run = made.requested(cast)
    assert "Nothing has changed, and nothing will." in words(browse(cast.dana).get(f"/runs/{run.number}/cancel/"))

    press(browse(cast.dana), f"/runs/{run.number}/cancel/")

    assert state_of(run) == RunState.CANCELLED


def test_a_cancel_is_not_sent_when_the_run_moved_since_the_page_was_read(cast, browse):
    run = made.started(cast)
    client, way = browse(cast.lee), f"/runs/{run.number}/cancel/"
    sent = form_of(client.get(way), way)
    made.Executor(run)

    answer = client.post(way, sent)

    run.refresh_from_db()
    assert answer.status_code == 409
    assert "Nothing was sent. It is running now." in words(answer)
    assert form_of(answer, way)["seen_state"] == "running"
    assert run.cancel_requested_at is None


def test_a_second_cancel_finds_the_door_closed(cast, browse):
    run = made.running(cast).job.run
    client, way = browse(cast.lee), f"/runs/{run.number}/cancel/"
    sent = form_of(client.get(way), way)
    request_cancel(run, actor=made.person(cast.noor))

    assert client.post(way, sent).status_code == 302

    run.refresh_from_db()
    assert run.cancel_requested_by == cast.noor
    assert "noor asked for it already." in words(client.get(way))
    assert "<form class" not in client.get(way).content.decode()


def test_who_may_not_cancel_reads_why_and_who_can(cast, browse):
    run = made.running(cast).job.run
    way = f"/runs/{run.number}/cancel/"

    shown = words(browse(cast.ari).get(way))
    refused = browse(cast.ari).post(way, {"seen_state": "running", "request_key": run.request_key})

    assert "You may not cancel this run" in shown
    assert "dana, lee, noor can." in shown
    assert refused.status_code == 403
    assert "Refused. Nothing was sent." in words(refused)
    assert "It is running now" not in words(refused)  # it was so before, and is not why
    assert MigrationRun.objects.get(pk=run.pk).cancel_requested_at is None


@pytest.mark.parametrize(("choice", "state"), [("again", RunState.QUEUED), ("give-up", RunState.FAILED)])
def test_a_person_decides_how_a_run_in_doubt_goes_on(cast, browse, choice, state):
    run = made.in_doubt(cast)

    answer = press(browse(cast.noor), f"/runs/{run.number}/resolve/", choice=choice, reason="The row is there")

    assert (answer.status_code, answer["Location"]) == (302, f"/runs/{run.number}/")
    assert state_of(run) == state
    assert "of 2 applied" in words(browse(cast.noor).get(f"/runs/{run.number}/"))


@pytest.mark.parametrize("typed", [{"choice": "again"}, {"reason": "It broke"}, {"choice": "nonsense", "reason": "x"}])
def test_a_decision_without_choice_or_reason_is_refused_in_the_form(cast, browse, typed):
    run = made.in_doubt(cast)

    answer = press(browse(cast.lee), f"/runs/{run.number}/resolve/", **typed)

    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.content.decode()
    assert typed.get("reason", "") in answer.content.decode()
    assert state_of(run) == RunState.NEEDS_ATTENTION


def test_two_who_decide_at_once_decide_once_and_nothing_typed_is_lost(cast, browse):
    run = made.in_doubt(cast)
    client, way = browse(cast.lee), f"/runs/{run.number}/resolve/"
    sent = form_of(client.get(way), way)
    run_again(run, reason="I looked", actor=made.person(cast.noor))

    answer = client.post(way, sent | {"choice": "give-up", "reason": "It is broken beyond repair"})

    assert answer.status_code == 409
    assert "Nothing was sent. It is queued now." in words(answer)
    assert "It is broken beyond repair" in words(answer)
    assert state_of(run) == RunState.QUEUED


def test_another_doubt_than_the_one_that_was_read_is_not_decided_about(cast, browse):
    run = made.in_doubt(cast)
    client, way = browse(cast.lee), f"/runs/{run.number}/resolve/"
    sent = form_of(client.get(way), way)
    run_again(run, reason="I looked", actor=made.person(cast.noor))
    acts = made.Executor(run)
    acts.close(JobState.NEEDS_ATTENTION, error_code="in-doubt", error="The target is away.")

    answer = client.post(way, sent | {"choice": "give-up", "reason": "It is broken beyond repair"})

    assert answer.status_code == 409
    assert "The target is away." in words(answer)
    assert '<textarea name="reason"' in answer.content.decode()
    assert "It is broken beyond repair" in words(answer)
    assert state_of(run) == RunState.NEEDS_ATTENTION


def test_who_may_not_decide_reads_why_and_who_can(cast, browse):
    run = made.in_doubt(cast)
    way = f"/runs/{run.number}/resolve/"
    typed = {"choice": "again", "reason": "x", "revision": run.revision, "request_key": run.request_key}

    assert "lee, noor can." in words(browse(cast.dana).get(way))
    assert browse(cast.dana).post(way, typed).status_code == 403
    assert state_of(run) == RunState.NEEDS_ATTENTION


@pytest.mark.parametrize("which", ["cancel", "resolve"])
def test_the_page_of_a_deed_that_is_over_says_so(cast, browse, which):
    run = made.failed(cast)

    answer = browse(cast.lee).get(f"/runs/{run.number}/{which}/")

    assert f"Run #1 is failed: there is nothing of it to {which}." in words(answer)
    assert faults(answer.content.decode()) == []
    assert StepState.FAILED in run.jobs.get().steps.values_list("state", flat=True)
