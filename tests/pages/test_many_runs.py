"""Lists ask the control database as often for many runs as for few, and leave none out unsaid."""

import json
import re
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deployments.actors import person
from deployments.digest import canonical, digest_of
from deployments.models import Grant, MigrationRun, User
from deployments.models.approval import Verdict
from deployments.models.grant import Role
from deployments.selectors import waiting
from deployments.services.decide import decide, request_cancel, start
from deployments.services.progress import write_progress
from deployments.states import JobState
from tests.pages import story
from tests.pages.made import Executor, again, approve, requested, started, succeeded
from tests.pages.words import words


def like(run: MigrationRun, number: int) -> MigrationRun:
    """Return another open run of the same environment; its plan differs in a word that nobody reads."""
    text = canonical(json.loads(run.plan_text) | {"copy": number})
    names = ("environment", "policy", "kind", "judgement", "requested_by", "reason")
    given = {name: getattr(run, name) for name in names}
    return MigrationRun.objects.create(**given, plan_text=text, digest=digest_of(text), request_key=uuid.uuid4())


def asked_for(client, path: str) -> int:
    client.get(path)  # what is kept between requests is there
    with CaptureQueriesContext(connection) as asked:
        assert client.get(path).status_code == 200
    return len(asked)


@pytest.mark.parametrize("path", ["/", "/approvals/"])
def test_many_waiting_runs_cost_no_more_questions_than_few(cast, browse, path):
    first = requested(cast)
    for number in range(5):
        like(first, number)
    few = [asked_for(browse(who), path) for who in (cast.lee, cast.dana)]
    for number in range(5, 25):
        like(first, number)

    assert [asked_for(browse(who), path) for who in (cast.lee, cast.dana)] == few


def test_many_queued_runs_cost_no_more_questions_than_few(cast, browse):
    first = requested(cast)
    client = browse(cast.lee)

    def queue(count: int) -> None:
        for _ in range(count):
            run = like(first, MigrationRun.objects.count())
            approve(cast, run)
            start(again(run), actor=person(cast.dana))

    queue(3)
    few = asked_for(client, "/")
    queue(6)

    assert asked_for(client, "/") == few


def many(count: int) -> dict[str, str]:
    return {f"{number:03}_step": f"CREATE TABLE step_{number} (id int);\n" for number in range(count)}


def test_a_way_back_of_many_scripts_costs_no_more_questions_than_one_of_few(cast, browse):
    few = asked_for(browse(cast.noor), f"/runs/{succeeded(cast, scripts=many(2)).number}/rollback/")
    story.read(cast.rewards_prod, {})
    large = succeeded(cast, scripts=many(30))

    assert asked_for(browse(cast.noor), f"/runs/{large.number}/rollback/") == few


def test_the_live_part_of_a_long_run_and_its_way_back_stay_small(cast, browse):
    acts = Executor(started(cast, scripts=many(300)))
    step = acts.walk("migrate")
    acts.commit(120)
    write_progress(step, {"migration": "120_step", "number": 121, "of": 300}, fence=acts.fence)
    path = f"/runs/{acts.job.run.number}/"

    live = browse(cast.lee).get(path, headers={"HX-Request": "true"})

    shown = words(live)
    assert len(live.content) < 30_000
    assert "115 before these, committed. 115_step" in shown
    assert re.search("120_stepRunning .* 144_stepNot started 155 more after these.", shown)

    acts.commit(300)
    acts.end(step)
    acts.close(JobState.SUCCEEDED, applied=300)
    story.read(cast.rewards_prod, many(300))
    back = browse(cast.noor).get(f"{path}rollback/")

    assert len(back.content) < 60_000
    assert "and 270 more are not named" in words(back)


def test_a_new_run_of_many_scripts_costs_no_more_questions_than_one_of_few(cast, browse):
    path = f"/runs/new/?environment={cast.production}"
    story.read(cast.rewards_prod, {})
    story.release(cast, many(2))
    few = asked_for(browse(cast.dana), path)
    story.release(cast, many(30))

    assert asked_for(browse(cast.dana), path) == few


def test_the_frame_counts_what_waits_for_this_persons_decision(cast, browse):
    first = requested(cast)

    def count(user: User) -> str:
        page = browse(user).get("/databases/").content.decode()
        return words(re.search(r'<a href="/approvals/".*?</a>', page)[0])

    assert [count(user) for user in (cast.lee, cast.mika)] == ["Approvals 1 waits for you"] * 2
    for nobody in (cast.dana, cast.noor, cast.charlie):  # asked for it, may not decide, sees nothing
        assert count(nobody) == "Approvals"

    like(first, 1)
    assert count(cast.lee) == "Approvals 2 wait for you"

    decide(first, verdict=Verdict.APPROVED, digest=first.digest, actor=person(cast.lee))
    assert count(cast.lee) == "Approvals 1 waits for you"
    assert count(cast.mika) == "Approvals 2 wait for you"

    for run in MigrationRun.objects.all():
        request_cancel(run, actor=person(cast.dana))
    assert count(cast.mika) == "Approvals"


def test_a_run_that_misses_another_role_does_not_wait_for_this_one(cast, browse):
    second = Grant.objects.create(user=cast.sam, role=Role.DBA).user
    first = requested(cast)
    decide(first, verdict=Verdict.APPROVED, digest=first.digest, actor=person(cast.lee))

    shown = words(browse(second).get("/approvals/"))

    assert "waits for you" not in shown.replace("Nothing waits for you", "")
    assert "It waits for another role than yours. You can still say no." in shown


def test_more_runs_than_a_list_shows_are_said(cast, browse, monkeypatch):
    monkeypatch.setattr(waiting, "MOST", 3)
    first = requested(cast)
    for number in range(3):
        like(first, number)

    for path in ("/", "/approvals/"):
        assert "1 newer run waits besides" in words(browse(cast.lee).get(path))
