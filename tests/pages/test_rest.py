"""Pausing and resuming on pages: pressed by who may, in the wrong moment, and by who may not."""

import pytest

from deployments.models import MigrationRun
from deployments.services.decide import request_cancel
from deployments.services.lease import beat
from deployments.services.pause import request_pause, resume
from deployments.services.progress import write_cancel_end
from deployments.states import JobState, RunState, StepState
from tests.pages import made
from tests.pages.markup import faults
from tests.pages.story import LEASE
from tests.pages.test_run_deeds import form_of, press
from tests.pages.words import words


def again(run):
    return MigrationRun.objects.get(pk=run.pk)


def test_a_pause_says_first_where_the_run_rests_and_what_it_keeps(cast, browse):
    run = made.running(cast).job.run
    client, way = browse(cast.noor), f"/runs/{run.number}/pause/"
    shown = words(client.get(way))
    assert "It rests after this file, before checks after: a transaction is not left half done." in shown
    assert shown.index("no other run writes to rewards_prod") < shown.index("Pause run #1 on rewards_prod The page")

    answer = press(client, way, reason="The shop is busy")

    assert (answer.status_code, answer["Location"]) == (302, f"/runs/{run.number}/")
    assert (again(run).pause_requested_by, again(run).pause_reason) == (cast.noor, "The shop is busy")
    shown = words(client.get(f"/runs/{run.number}/"))
    assert "noor asked it to pause. It rests after this file" in shown
    assert "“The shop is busy”" in shown
    assert again(run).state == RunState.RUNNING


def test_a_paused_run_says_by_whom_since_when_what_is_done_and_what_it_keeps(cast, browse):
    run = made.resting(cast)

    answer = browse(cast.noor).get(f"/runs/{run.number}/")

    shown = words(answer)
    assert faults(answer.content.decode()) == []
    assert "Paused by noor. 1 of 2 applied." in shown
    assert "“The shop is busy” Until it is resumed, cancelled or rolled back it keeps rewards_prod" in shown
    assert "Paused since" in shown
    assert "Interrupted" not in shown  # nothing about it is in doubt
    assert "No sign of life" not in shown
    assert "Resume run #1…" in shown
    assert "Pause run #1…" not in shown


def test_a_resume_lets_the_run_go_on_and_leads_to_its_page(cast, browse):
    run = made.resting(cast)
    client, way = browse(cast.dana), f"/runs/{run.number}/resume/"
    assert "noor asked for the pause: “The shop is busy”" in words(client.get(way))

    answer = press(client, way, reason="It is calm")

    assert (answer.status_code, answer["Location"]) == (302, f"/runs/{run.number}/")
    assert again(run).pause_requested_at is None
    assert "Queued: the next free executor takes it." in words(client.get(f"/runs/{run.number}/"))


def test_another_pause_than_the_one_that_was_read_is_not_lifted(cast, browse):
    run = made.resting(cast)
    client, way = browse(cast.lee), f"/runs/{run.number}/resume/"
    sent = form_of(client.get(way), way)
    resume(run, actor=made.person(cast.noor))
    request_pause(run, reason="An incident", actor=made.person(cast.noor))

    answer = client.post(way, sent | {"reason": "I looked"})

    assert answer.status_code == 409
    assert "“An incident”" in words(answer)
    assert "I looked" in words(answer)
    assert again(run).pause_reason == "An incident"


@pytest.mark.parametrize("typed", [{}, {"reason": " "}])
def test_a_pause_without_a_reason_is_refused_in_the_form(cast, browse, typed):
    run = made.running(cast).job.run

    answer = press(browse(cast.noor), f"/runs/{run.number}/pause/", **typed)

    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.content.decode()
    assert again(run).pause_requested_at is None


def test_who_may_not_pause_reads_why_and_who_can(cast, browse):
    run = made.running(cast).job.run
    way = f"/runs/{run.number}/pause/"

    shown = words(browse(cast.ari).get(way))
    refused = browse(cast.ari).post(way, {"reason": "x", "request_key": run.request_key})

    assert "You may not pause or resume this run" in shown
    assert "dana, lee, noor can." in shown
    assert refused.status_code == 403
    assert again(run).pause_requested_at is None


def test_a_pause_pressed_twice_pauses_once_and_says_so(cast, browse):
    run = made.running(cast).job.run
    client, way = browse(cast.noor), f"/runs/{run.number}/pause/"
    sent = form_of(client.get(way), way) | {"reason": "The shop is busy"}
    client.post(way, sent)

    answer = client.post(way, sent)

    assert answer.status_code == 409
    assert "noor asked it to pause already." in words(answer)


def test_where_nothing_comes_after_the_running_step_a_pause_is_not_offered(cast, browse):
    acts = made.Executor(made.started(cast))
    acts.walk("watch")
    number = acts.job.run.number

    shown = words(browse(cast.noor).get(f"/runs/{number}/"))
    answer = press_blindly(browse(cast.noor), f"/runs/{number}/pause/")

    assert "Its last step, watch, is running, and nothing comes after it." in shown
    assert answer.status_code == 422
    assert again(acts.job.run).pause_requested_at is None


def press_blindly(client, way):
    """Send the form of a page that shows none."""
    return client.post(way, {"reason": "x", "request_key": "7b2a6d7e-1f0c-4a52-9b58-5f2a35f8f3a1"})


def test_a_run_that_was_asked_to_stop_is_not_paused(cast, browse):
    run = made.running(cast).job.run
    request_cancel(run, actor=made.person(cast.lee))

    assert "It was asked to stop: it does not go on." in words(browse(cast.noor).get(f"/runs/{run.number}/"))
    assert press_blindly(browse(cast.noor), f"/runs/{run.number}/pause/").status_code == 403


def test_a_paused_run_can_be_rolled_back_and_a_cancel_says_that_nothing_is_under_way(cast, browse):
    run = made.resting(cast)

    door = browse(cast.noor).get(f"/runs/{run.number}/")
    back = words(browse(cast.noor).get(f"/runs/{run.number}/rollback/"))
    cancel = words(browse(cast.noor).get(f"/runs/{run.number}/cancel/"))

    assert 'id="door-rollback" href=' in door.content.decode()
    assert "Pause or cancel it, or let it end first" not in back
    assert "Nothing is under way: it ends as cancelled at once" in cancel


def test_another_run_of_the_database_says_that_the_paused_one_holds_it(cast, browse):
    made.resting(cast)
    other = made.started(cast, scripts=made.TWO | {"20261103_note": "ALTER TABLE points ADD COLUMN note text;\n"})

    shown = words(browse(cast.noor).get(f"/runs/{other.number}/"))

    assert "Waits for run #1, which holds rewards_prod." in shown
    assert "It is paused, and goes on when somebody resumes it." in shown


def test_a_cancel_that_was_obeyed_says_each_thing_that_happened(cast, browse):
    acts = made.running(cast)
    request_cancel(acts.job.run, actor=made.person(cast.noor))
    client, way = browse(cast.noor), f"/runs/{acts.job.run.number}/"
    assert "The executor has not seen it yet." in words(client.get(way))

    beat(acts.job.pk, executor="eu-w1/7731", fence=acts.fence, lease=LEASE)
    assert "The server is asked to end the statement" in words(client.get(way))

    write_cancel_end(acts.job, "rolled-back", answer="57014", fence=acts.fence)
    shown = words(client.get(way))
    assert "The server confirmed the cancel. Rolled back: the file under way changed nothing." in shown
    assert "rolling back · Locktender" in shown

    text = "It was cancelled on request."
    made.stop(acts, StepState.INTERRUPTED, code="cancelled-on-request", text=text)
    acts.close(JobState.CANCELLED, error_code="cancelled-on-request", error=text)
    shown = words(client.get(way))
    assert "1 of 2 applied. Cancelled by noor." in shown
    assert "The server confirmed the cancel. Rolled back: the file under way changed nothing." in shown
    assert "Executor saw it" in shown


def test_a_cancel_of_a_run_that_succeeded_all_the_same_says_that_it_was_too_late(cast, browse):
    acts = made.Executor(made.started(cast))
    step = acts.walk("watch")
    request_cancel(acts.job.run, actor=made.person(cast.noor))
    acts.end(step)
    run = acts.close(JobState.SUCCEEDED, applied=2)

    shown = words(browse(cast.noor).get(f"/runs/{run.number}/"))

    assert "noor asked to cancel it: it was too late, everything was done. The way back is a rollback" in shown
