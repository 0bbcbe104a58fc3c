"""The page of a run, in each of its states: what it says first, what can be done, and that it lives."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deployments.models import Database
from deployments.pipelines.definitions import PIPELINES
from deployments.selectors.rail import STAGES
from deployments.services.decide import request_cancel, start
from deployments.states import JobState, StepState
from tests.pages import made
from tests.pages.markup import faults
from tests.pages.words import words

LIVE = {"HX-Request": "true"}
STATES = {
    "requested": (made.requested, "Waits for approval by 1 architect and 1 DBA."),
    "approved": (made.approved, "Ready to start: nothing is unmet."),
    "queued": (made.started, "Queued: the next free executor takes it."),
    "running": (lambda cast: made.running(cast).job.run, "Migrate: migration 2 of 2."),
    "failed": (made.failed, "1 of 2 applied. The database refused a statement."),
    "in doubt": (made.in_doubt, "We do not know what the database did."),
    "succeeded": (made.succeeded, "All 2 applied. The application answered healthy."),
}


@pytest.fixture
def see(cast, browse):
    """Return a function that opens the page of a run as Lee, or as who is named."""

    def shown(run, person=None, **headers):
        return browse(person or cast.lee).get(f"/runs/{run.number}/", headers=headers)

    return shown


def version_of(answer):
    return re.search(r"seen=(\w+)", answer.content.decode())[1]


@pytest.mark.parametrize("state", STATES)
def test_the_first_sentence_says_how_a_run_stands(cast, see, state):
    make, sentence = STATES[state]

    answer = see(make(cast))

    shown = answer.content.decode()
    assert faults(shown) == []
    assert words(shown).index(sentence) < words(shown).index("preflight")
    assert f"<title>{re.search('data-tab-title=.(.*?) · Locktender', shown)[1]}" in shown


@pytest.mark.parametrize("state", STATES)
def test_a_page_asks_a_bounded_number_of_queries(cast, browse, state):
    client, path = browse(cast.lee), f"/runs/{STATES[state][0](cast).number}/"

    with CaptureQueriesContext(connection) as asked:
        client.get(path)

    assert len(asked) <= 36


def test_the_rail_knows_the_steps_of_the_pipelines():
    assert {kind: tuple(step.name for step in one.steps) for kind, one in PIPELINES.items()} == STAGES


def test_a_rail_tells_what_was_not_started_from_what_was_not_reached(cast, see):
    acts = made.running(cast)
    assert "checks after: not started" in words(see(acts.job.run))

    made.stop(acts, StepState.FAILED, code="over-budget", text="It was cancelled.")
    run = acts.close(JobState.FAILED, error_code="over-budget", error="It was cancelled.", applied=1)

    shown = words(see(run))
    assert "checks after: not reached" in shown
    assert "not started" not in shown
    assert "The guard stopped it" in shown


def test_a_failure_before_anything_ran_says_that_nothing_changed(cast, see):
    acts = made.Executor(made.started(cast))
    acts.end(acts.walk("backup"), StepState.FAILED, summary="No room.", error_code="disk-too-small")

    shown = words(see(acts.close(JobState.FAILED, error_code="disk-too-small", error="No room.")))

    assert "Nothing changed. The store has too little room for the backup. No room." in shown
    assert "Nothing to undo: nothing was applied." in shown


def test_an_index_that_may_be_left_is_not_called_nothing(cast, see):
    scripts = {"20261101_index": "CREATE INDEX CONCURRENTLY points_id ON points (id);\n"}
    acts = made.Executor(made.started(cast, scripts=scripts))
    acts.end(acts.walk("migrate"), StepState.FAILED, summary="Refused.", error_code="statement-failed")

    shown = words(see(acts.close(JobState.FAILED, error_code="statement-failed", error="Refused.")))

    assert "Nothing was applied. The database refused a statement." in shown
    assert "Nothing changed." not in shown


def test_a_silent_executor_is_told_with_its_age_and_is_no_failure(cast, see):
    acts = made.running(cast)
    acts.die()

    answer = see(acts.job.run)

    assert re.search(r"No sign of life for 4\d s\. Nothing new was started\.", words(answer))
    assert "octagon-x" not in re.search(r'<section class="verdict.*?</section>', answer.content.decode(), re.DOTALL)[0]
    assert 'class="verdict unknown aged"' in answer.content.decode()


def test_a_run_behind_another_links_to_it(cast, see):
    first = made.running(cast)
    other = {**made.TWO, "20261103_more": "ALTER TABLE points ADD COLUMN more text;\n"}
    second = made.started(cast, scripts=other)

    answer = see(second)

    assert f"Waits for run {first.job.run}, which holds rewards_prod." in words(answer)
    assert f'<a href="/runs/{first.job.run.number}/">run {first.job.run}</a>' in answer.content.decode()


def test_a_cancel_that_was_asked_for_is_said_with_who(cast, see):
    acts = made.running(cast)
    request_cancel(acts.job.run, actor=made.person(cast.noor))

    shown = words(see(acts.job.run))

    assert "Cancel asked by noor. The executor has not seen it yet." in shown
    assert "noor asked for it already." in shown


def test_every_database_of_a_run_has_its_own_rail(cast, see):
    Database.objects.create(environment=cast.production, name="rewards_eu", position=2, connection="env:EU")
    acts = made.running(cast)

    shown = see(acts.job.run).content.decode()

    assert faults(shown) == []
    assert shown.count('class="rail"') == 2
    assert "rewards_prod 1 of 2, rewards_eu 0 of 2" in words(shown)
    assert "Migrate on rewards_prod: migration 2 of 2." in words(shown)


def test_evidence_is_readable_and_what_was_not_measured_is_no_pass(cast, see):
    shown = see(made.succeeded(cast)).content.decode()

    told = words(shown)
    for found in ("31.2 GB", "made, never restored", "No rows.", "30 000 ms", "48 ms", "412 GB"):
        assert found in told
    rows = re.findall(r"<tr>.*?</tr>", shown, re.DOTALL)
    locked = next(row for row in rows if "It is locked." in row)
    assert "Not measured" in locked
    assert "circle-check" not in locked
    assert "so nothing can be tried" in told


def test_the_plan_is_shown_byte_for_byte_with_its_hash(cast, see):
    run = made.requested(cast)
    entry = run.plan["migrations"][1]

    shown = see(run).content.decode()

    pres = re.findall(r'<pre class="sql" id="sql-2-\d+".*?>(.*?)</pre>', shown, re.DOTALL)
    assert words("".join(pres), keep=True) == made.TWO[entry["name"]]
    assert entry["forward"] in shown
    assert "set-not-null-scan" in shown


@pytest.mark.parametrize("state", ["requested", "queued", "running", "in doubt"])
def test_an_open_run_lives_and_says_nothing_twice(cast, see, state):
    run = STATES[state][0](cast)
    first = see(run)

    same = see(run, **LIVE | {"HX-Target": "run"})
    again = see(run, **LIVE)

    assert 'hx-get="/runs/' in first.content.decode()
    assert same.status_code == 200
    assert version_of(again) == version_of(first)


def test_unchanged_is_answered_with_nothing_and_news_with_a_fragment(cast, browse):
    acts = made.running(cast)
    client, path = browse(cast.lee), f"/runs/{acts.job.run.number}/"
    seen = version_of(client.get(path))

    assert client.get(f"{path}?seen={seen}", headers=LIVE).status_code == 204

    acts.say(acts.job.steps.get(name="migrate"), "one more line")
    news = client.get(f"{path}?seen={seen}", headers=LIVE)
    assert news.status_code == 200
    assert "one more line" in news.content.decode()
    assert "<html" not in news.content.decode()
    assert 'id="plan"' not in news.content.decode()


def test_a_sign_of_life_that_stops_is_news_although_nothing_was_written(cast, browse):
    acts = made.running(cast)
    client, path = browse(cast.lee), f"/runs/{acts.job.run.number}/"
    seen = version_of(client.get(path))

    acts.die()

    assert "No sign of life" in words(client.get(f"{path}?seen={seen}", headers=LIVE))


@pytest.mark.parametrize("make", [made.failed, made.succeeded])
def test_the_last_fragment_of_a_run_asks_no_more(cast, see, make):
    assert "hx-get" not in see(make(cast), **LIVE).content.decode()


def test_a_run_that_was_rolled_back_says_so_first(cast, see):
    run = made.succeeded(cast)
    back = made.rollback(cast, run)
    assert f"The way back is run {back}." in words(see(run))

    acts = made.Executor(start(made.approve(cast, back), actor=made.person(cast.noor)))
    acts.end(acts.walk("health check"))
    acts.close(JobState.SUCCEEDED, applied=2)

    assert f"Rolled back by run {back}. Nothing of this run is in force any more." in words(see(run))
    assert f"Run {back} has rolled it back already." in words(see(run))
    assert f"roll back {run}" in words(see(back))


def test_a_run_whose_way_back_failed_after_all_of_it_says_that_too(cast, see):
    run = made.succeeded(cast)
    acts = made.Executor(start(made.approve(cast, made.rollback(cast, run)), actor=made.person(cast.noor)))
    acts.end(acts.walk("health check"), StepState.FAILED, error_code="unhealthy")
    back = acts.close(JobState.FAILED, applied=2, error_code="unhealthy", error="Not well.")

    told = f"by run {back}, which failed afterwards because the application is unhealthy."
    assert f"Rolled back {told} Nothing of this run is in force any more." in words(see(run))
    assert f"Rolled back by run {back}. Open run {back}, failed." in words(see(run))
    assert f"Run {back} has rolled it back already." in words(see(run))
    assert "All 2 rolled back. The application is unhealthy. Not well." in words(see(back))


def test_a_way_back_that_did_not_restore_the_schema_names_what_differs(cast, see, browse):
    run = made.succeeded(cast)
    acts = made.Executor(start(made.approve(cast, made.rollback(cast, run)), actor=made.person(cast.noor)))
    sentence = f"Schema equal to before run {run}: no. index by_points of table public.points is missing."
    difference = {"name": "index by_points of table public.points", "what": "is missing", "is_by_others": False}
    told = {"verdict": "failed", "sentence": sentence, "differences": [difference]}
    acts.end(acts.walk("checks after"), evidence={"checks": [], "schema": told}, summary=f"{sentence} 1 check passed.")
    acts.end(acts.begin())
    back = acts.close(JobState.SUCCEEDED, applied=2)

    shown = words(see(back))

    assert f"All 2 rolled back. rewards_prod: {sentence}" in shown
    assert "Look at what differs, and correct it in a new migration." in shown
    assert "index by_points of table public.points failed It is missing." in shown.replace("Failed", "failed")
    assert f"rewards_prod: {sentence}" in words(browse(cast.noor).get(f"/runs/{run.number}/rollback/"))


def test_who_may_not_sees_the_button_closed_with_the_reason_and_who_can(cast, see):
    run = made.approved(cast)

    shown = words(see(run, cast.ari))

    assert "Start #1 on rewards_prod You may not request a run" in shown
    assert "dana, lee, noor can." in shown
    assert 'action="/runs/' not in see(run, cast.ari).content.decode()


def test_doors_that_nobody_may_open_now_say_why(cast, see):
    awaiting = see(made.requested(cast), cast.dana)
    assert "Start #1 on rewards_prod Waits for approval by 1 architect. Waits for approval by 1 DBA." in words(awaiting)
    assert 'action="/runs/' not in awaiting.content.decode()

    scripts = {**made.TWO, "20261103_more": "SELECT 1;\n"}
    running = see(made.running(cast, scripts=scripts).job.run, cast.noor)
    assert "Roll back rewards_prod… Not while the run is open." in words(running)
    assert "/rollback/" not in running.content.decode()


def test_a_run_that_does_not_exist_is_not_found(cast, browse):
    assert browse(cast.lee).get("/runs/4711/").status_code == 404
    assert browse(cast.lee).get(f"/runs/{10**30}/").status_code == 404
