"""Paused runs where many runs are shown: on the overview and in the list, with who asked and since when."""

import re

from deployments.models import MigrationRun
from deployments.services.pause import request_pause, resume
from tests.pages import made
from tests.pages.markup import faults
from tests.pages.test_runs import LIVE, numbers, scripts
from tests.pages.words import words

SEEN = re.compile(r"seen=([^\"&]+)")


def doubtful(cast) -> MigrationRun:
    """Return a run in doubt that somebody had asked to pause."""
    run = made.in_doubt(cast)
    MigrationRun.objects.filter(pk=run.pk).update(
        pause_requested_at=run.created_at, pause_requested_by=cast.noor, pause_reason="Calm"
    )
    return run


def test_a_list_shows_a_paused_run_as_paused_by_whom_and_since_when_and_filters_for_it(cast, browse):
    paused, other = made.resting(cast), made.requested(cast, scripts=scripts(1))
    client = browse(cast.lee)

    answer = client.get("/runs/")

    assert faults(answer.content.decode()) == []
    assert "Paused by noor, since" in words(answer)
    assert "1 of 2 applied" in words(answer)  # what it has done is told all the same
    assert sorted(numbers(answer)) == [paused.number, other.number]
    assert numbers(client.get("/runs/?state=paused")) == [paused.number]
    resume(paused, reason="It is calm", actor=made.person(cast.dana))
    assert "by noor, since" not in words(client.get("/runs/"))
    assert numbers(client.get("/runs/?state=paused")) == []


def test_a_run_that_will_rest_is_pausing_and_becomes_paused_in_a_list_that_is_open(cast, browse):
    acts, client = made.running(cast), browse(cast.lee)
    request_pause(acts.job.run, reason="The shop is busy", actor=made.person(cast.noor))
    page = client.get("/runs/?state=paused")
    (seen,) = set(SEEN.findall(page.content.decode()))
    assert "Pausing asked by noor" in words(page)
    assert client.get(f"/runs/?state=paused&seen={seen}", headers=LIVE).status_code == 204

    made.Job.objects.filter(pk=acts.job.pk).update(state="queued", paused_at=made.Now())

    now = client.get(f"/runs/?state=paused&seen={seen}", headers=LIVE)
    assert "Paused by noor, since" in words(now)


def test_a_run_in_doubt_is_never_hidden_behind_a_pause(cast, browse):
    run, client = doubtful(cast), browse(cast.lee)

    listed, overview = words(client.get("/runs/")), words(client.get("/"))

    assert "Needs attention" in listed
    assert "Paused by noor" not in listed + overview
    assert numbers(client.get("/runs/?state=paused")) == []
    assert f"#{run.number} on {run.environment}: we do not know what the database did" in overview


def test_the_overview_shows_who_paused_what_runs_why_and_that_nobody_is_waited_for(cast, browse):
    run = made.resting(cast)

    answer = browse(cast.lee).get("/")

    shown = words(answer)
    assert faults(answer.content.decode()) == []
    assert "and 1 more" in shown
    assert "Pausedrewards" in shown.replace(" ", "")
    assert "By noor, since" in shown
    assert "“The shop is busy”" in shown
    assert "Waits for a free executor" not in shown
    assert "Nothing is running. One run is paused, or will be." in shown
    resume(run, reason="It is calm", actor=made.person(cast.dana))
    assert "Waits for a free executor" in words(browse(cast.lee).get("/"))
