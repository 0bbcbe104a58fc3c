"""The page of a run in doubt: what the target says and how old that is, looking again, and three ways on."""

from deployments.actors import EXECUTOR
from deployments.models import ControlPlane, Database, Job, MigrationRun, TargetRequest
from deployments.services.drain import begin_drain
from deployments.services.looks import answer, request_look
from deployments.states import RunState
from tests.pages import made
from tests.pages.markup import faults
from tests.pages.test_run_deeds import form_of
from tests.pages.words import words

APPLIED = {
    "history": [
        {
            "migration": "20261101_points_currency",
            "direction": "forward",
            "fence": 1,
            "at": "2026",
            "transaction": "7",
        }
    ],
    "statements": [
        {"migration": "20261102_points_fill", "direction": "forward", "position": 1, "state": "intent", "sql": "VACUUM",
         "fence": 1, "at": "2026"}
    ],
    "sessions": [],
    "fence": 1,
    "layout": False,
    "transaction": {"id": "741", "says": "committed"},
    "doubt": {
        "migration": "20261102_points_fill",
        "statement": 1,
        "is_applied": True,
        "why": "Statement 1 was sent, and it is done.",
    },
}  # fmt: skip


def looked_at(run: MigrationRun, found: dict | None = None, **refused: str) -> TargetRequest:
    """Have the target looked at, as a dispatcher would have it done."""
    wish = request_look(run, actor=EXECUTOR)
    answer(wish, found=found, **refused)
    return TargetRequest.objects.get(pk=wish.pk)


def memory_of(place: Database) -> None:
    """Have a database read that remembers a life which was lost."""
    found = {"system": "7000000000000000001", "name": "rewards_prod"}
    row = {"run": 12, "job": 77, "fence": 900, "migration": "20261103_lost", "direction": "forward",
           "at": "2026-11-20T10:00:00+00:00"}  # fmt: skip
    seen = place.observations.latest("id")
    seen.pk = None
    seen.ledger = {
        "marked": found,
        "found": found,
        "control_plane": str(ControlPlane.objects.get().pk),
        "database": place.pk,
        "fence": 900,
        "job": 77,
        "run": 12,
        "unknown": [77],
        "rows": [row],
    }
    seen.save(force_insert=True)


def decide(client, run: MigrationRun, **typed: str):
    way = f"/runs/{run.number}/resolve/"
    shown = client.get(way).content.decode()
    look = shown.partition('name="look" value="')[2].partition('"')[0]
    return client.post(way, form_of(client.get(way), way) | {"look": look} | typed)


def test_it_says_what_the_target_says_how_old_that_is_and_what_the_executor_saw_last(cast, browse):
    run = made.in_doubt(cast)
    looked_at(run, APPLIED)

    answered = browse(cast.noor).get(f"/runs/{run.number}/resolve/")
    shown = words(answered)

    assert faults(answered.content.decode()) == []
    assert "The target shows that it is applied." in shown
    assert "About statement 1 of 20261102_points_fill. Statement 1 was sent, and it is done." in shown
    assert "committed, for transaction 741. Evidence only: after a crash" in shown
    assert "statement 1: intent" in shown
    assert "20261102_points_fill, statement 1 of 2" in shown
    assert "20261102_points_fill: It is not known whether" in shown, "the last lines of the log"


def test_a_target_that_nobody_looked_at_or_that_did_not_answer_is_told_so(cast, browse):
    run = made.in_doubt(cast)
    way = f"/runs/{run.number}/resolve/"
    assert "Nobody has looked at the target yet." in words(browse(cast.noor).get(way))

    looked_at(run, code="target-unreachable", error="rewards/production/main cannot be reached: no route.")

    shown = words(browse(cast.noor).get(way))
    assert "The target did not answer." in shown
    assert "cannot be reached: no route." in shown


def test_looking_again_is_a_wish_that_this_part_of_the_page_follows(cast, browse):
    run = made.in_doubt(cast)
    client, way = browse(cast.noor), f"/runs/{run.number}/look/"

    assert client.post(way).status_code == 302
    assert client.post(way).status_code == 302

    wish = TargetRequest.objects.get()
    assert (wish.requested_by, wish.answered_at, wish.job.run) == (cast.noor, None, run)
    part = client.get(way, headers={"HX-Request": "true"})
    assert "Being looked at" in words(part)
    version = f"None-{wish.pk}"
    assert client.get(f"{way}?seen={version}", headers={"HX-Request": "true"}).status_code == 204

    answer(wish, found=APPLIED)
    part = client.get(f"{way}?seen={version}", headers={"HX-Request": "true"})
    assert "The target shows that it is applied." in words(part)
    assert f'name="look" value="{wish.pk}" form="resolve"' in part.content.decode()


def test_who_may_not_decide_has_nothing_looked_at(cast, browse):
    run = made.in_doubt(cast)

    assert browse(cast.dana).post(f"/runs/{run.number}/look/").status_code == 403
    assert browse(cast.charlie).post(f"/runs/{run.number}/look/").status_code == 404
    assert "Look at the target again" not in words(browse(cast.dana).get(f"/runs/{run.number}/resolve/"))
    assert not TargetRequest.objects.exists()


def test_a_dba_confirms_what_the_target_shows_and_on_call_does_not(cast, browse):
    run = made.in_doubt(cast)
    looked_at(run, APPLIED)

    refused = decide(browse(cast.noor), run, choice="confirm", reason="It is there")
    assert refused.status_code == 403
    assert "that takes the role DBA" in words(refused)
    confirmed = decide(browse(cast.lee), run, choice="confirm", reason="It is there")

    assert confirmed.status_code == 302
    job = Job.objects.get(run=run)
    assert (job.state, job.decided["migration"], job.decided["is_applied"]) == ("queued", "20261102_points_fill", True)


def test_what_the_target_does_not_show_is_confirmed_by_nobody(cast, browse):
    run = made.in_doubt(cast)
    told = APPLIED | {"doubt": APPLIED["doubt"] | {"is_applied": None, "why": "It cannot tell."}}
    looked_at(run, told)

    refused = decide(browse(cast.lee), run, choice="confirm", reason="I am sure")

    assert refused.status_code in {409, 422}
    assert "the target does not show it. It cannot tell." in words(refused)
    assert "I am sure" in refused.content.decode(), "what was typed is still there"
    assert made.again(run).state == RunState.NEEDS_ATTENTION


def test_a_drain_is_told_on_every_page_and_explains_what_waits(cast, browse):
    run = made.started(cast)
    begin_drain(reason="Version 2.", actor=made.person(cast.lee))

    shown = words(browse(cast.dana).get(f"/runs/{run.number}/"))
    assert "Waits, because nothing new is started: Locktender is drained." in shown
    for way in ("/", "/databases/", f"/runs/{run.number}/"):
        answered = browse(cast.dana).get(way)
        assert "Drained: nothing new is started. Version 2." in words(answered)
        assert faults(answered.content.decode()) == []


def test_a_database_that_knows_more_than_we_do_is_shown_with_what_it_knows_and_readopted_by_a_dba(cast, browse):
    run = made.succeeded(cast)
    place = run.jobs.get().database
    memory_of(place)
    way = f"/databases/{place.pk}/"

    shown = browse(cast.noor).get(way)
    assert faults(shown.content.decode()) == []
    assert "Every run there is refused: fence-ahead." in words(shown)
    assert "20261103_lost forward run #12 of another life of this control plane" in words(shown)
    assert "You can read this, not re-adopt it." in words(shown)
    assert "fence-ahead" in words(browse(cast.noor).get("/databases/"))
    client = browse(cast.lee)
    assert client.post(way, form_of(client.get(way), way) | {"confirm": "elsewhere", "reason": "x"}).status_code == 422

    pressed = client.post(way, form_of(client.get(way), way) | {"confirm": place.name, "reason": "Restored"})

    assert pressed.status_code == 302
    assert TargetRequest.objects.get(kind="readopt").reason == "Restored"
    assert "Being re-adopted" in words(client.get(way))
