"""Deciding about a run: what is shown, who may, and what a form that is no longer true does."""

import threading

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from checks.layouts import MigrationFiles
from deployments.actors import COMMAND_LINE, person
from deployments.models import Approval, Grant, MigrationRun
from deployments.models.approval import Verdict
from deployments.services.decide import decide, request_cancel
from deployments.services.sync import sync
from deployments.sources.found import Found
from tests.pages import made, story
from tests.pages.deployed import ADDED, COMMENTED, asked, deployed
from tests.pages.forms import fields_in, form_on, has_form
from tests.pages.markup import faults

TARGET = "rewards/production"
MOST_QUERIES = 45


@pytest.fixture
def run(cast):
    """A high-risk run on production that Dana asked for: it waits for a DBA and an architect."""
    return made.requested(cast)


def path_of(run):
    return f"/runs/{run.number}/approval/"


def press(client, run, *, verdict="approved", **typed):
    """Open the page, fill its form in, and press."""
    sent = form_on(client, path_of(run), "decide") | {"verdict": verdict, "confirm": TARGET} | typed
    return client.post(path_of(run), sent)


def state_of(run):
    return MigrationRun.objects.get(pk=run.pk).state


def test_who_may_know_of_nothing_sees_nothing(run, cast, browse):
    assert path_of(run) not in browse(cast.charlie).get("/approvals/").content.decode()
    assert browse(cast.charlie).get(path_of(run)).status_code == 404
    assert browse(cast.charlie).post(path_of(run), {}).status_code == 404


def test_the_first_sentence_says_what_a_yes_does(run, cast, browse):
    lee, mika, dana = (browse(who).get(path_of(run)).content.decode() for who in (cast.lee, cast.mika, cast.dana))

    assert "If you and an architect approve, 2 migrations run on rewards/production when somebody starts it." in lee
    assert "If you and a DBA approve, 2 migrations run on" in mika
    assert "If an architect and a DBA approve, 2 migrations run on" in dana
    assert "It destroys or overwrites data in <b>points</b>; how many values: not measured." in lee


def test_every_script_is_there_byte_for_byte_with_its_hash_and_its_way_back(run, cast, browse):
    html = browse(cast.lee).get(path_of(run)).content.decode()

    for entry in run.plan["migrations"]:
        assert f'title="{entry["forward"]}"' in html
        assert f'title="{entry["rollback"]}"' in html
    assert run.digest in html


def test_a_finding_stands_under_its_statement_and_its_rewrite_right_below(run, cast, browse):
    html = browse(cast.lee).get(path_of(run)).content.decode()

    places = [
        html.index(text)
        for text in (
            'id="sql-2-2"',
            "set-not-null-scan</a></code>",
            'id="safer-2-2-1-1"',
            'id="back-2"',
            "Verify script",
        )
        if text in html
    ]
    assert places[:4] == sorted(places[:4])
    assert "No finding" in html


def test_a_yes_is_recorded_and_leads_back_to_the_page(run, cast, browse):
    client = browse(cast.lee)

    answer = press(client, run, comment="Reads well")

    assert (answer.status_code, answer["Location"]) == (303, path_of(run))
    given = Approval.objects.get()
    assert (given.approver, given.role, given.verdict, given.comment) == (cast.lee, "dba", "approved", "Reads well")
    html = client.get(path_of(run)).content.decode()
    assert "You have decided about run #1 already." in html
    assert not has_form(html, "decide")
    assert "Who can: mika." in html
    assert state_of(run) == "awaiting"


@pytest.mark.parametrize("typed", ["", "rewards_prod", "rewards/staging"])
def test_a_yes_to_high_risk_takes_the_typed_environment(run, cast, browse, typed):
    answer = press(browse(cast.lee), run, confirm=typed, comment="Half a thought")

    assert answer.status_code == 422
    assert fields_in(answer.content.decode(), "decide")["comment"] == "Half a thought"
    assert not Approval.objects.exists()


def test_a_no_takes_a_comment_and_no_typed_name(run, cast, browse):
    client = browse(cast.lee)

    silent = press(client, run, verdict="rejected", confirm="", comment="  ")
    assert silent.status_code == 422
    assert "Say why you reject it." in silent.content.decode()
    assert state_of(run) == "awaiting"

    assert press(client, run, verdict="rejected", confirm="", comment="Too much").status_code == 303
    assert state_of(run) == "rejected"
    assert "Too much" in client.get("/approvals/").content.decode()


def test_nobody_approves_their_own_run_by_a_forged_post_either(run, cast, browse):
    Grant.objects.create(user=cast.dana, role="dba")
    form = form_on(browse(cast.lee), path_of(run), "decide")
    client = browse(cast.dana)
    html = client.get(path_of(run)).content.decode()
    assert "You requested run #1. Somebody else decides about it." in html
    assert "Who can: lee, mika." in html
    assert not has_form(html, "decide")

    answer = client.post(path_of(run), form | {"verdict": "approved", "confirm": TARGET})

    assert answer.status_code == 403
    assert "You requested run #1. Somebody else decides about it." in answer.content.decode()
    assert not Approval.objects.exists()
    assert state_of(run) == "awaiting"


def test_a_form_of_another_plan_is_refused_and_the_comment_kept(run, cast, browse):
    answer = press(browse(cast.lee), run, digest="0" * 64, comment="Half a thought")

    html = answer.content.decode()
    assert answer.status_code == 409
    assert "What you read is not the plan of run #1." in html
    fresh = fields_in(html, "decide")
    assert (fresh["comment"], fresh["digest"], fresh["confirm"]) == ("Half a thought", run.digest, "")
    assert not Approval.objects.exists()


def test_what_somebody_decided_meanwhile_is_shown_before_i_decide(run, cast, browse):
    client = browse(cast.lee)
    old = form_on(client, path_of(run), "decide") | {"verdict": "approved", "confirm": TARGET, "comment": "Mine"}
    decide(run, verdict=Verdict.APPROVED, digest=run.digest, comment="Fine by me", actor=person(cast.mika))

    answer = client.post(path_of(run), old)

    html = answer.content.decode()
    assert answer.status_code == 409
    assert "<b>mika</b> approved it: “Fine by me”" in html
    assert Approval.objects.count() == 1
    again = client.post(path_of(run), fields_in(html, "decide") | {"verdict": "approved", "confirm": TARGET})
    assert again.status_code == 303
    assert Approval.objects.get(approver=cast.lee).comment == "Mine"


def test_a_run_that_was_cancelled_meanwhile_is_not_decided(run, cast, browse):
    client = browse(cast.lee)
    old = form_on(client, path_of(run), "decide") | {"verdict": "approved", "confirm": TARGET, "comment": "Mine"}
    request_cancel(run, actor=person(cast.dana))

    answer = client.post(path_of(run), old)

    html = answer.content.decode()
    assert answer.status_code == 409
    assert "moved it from awaiting to cancelled" in html
    assert "Run #1 is cancelled: there is nothing left to decide." in html
    assert not Approval.objects.exists()


def test_a_double_press_decides_once(run, cast, browse):
    client = browse(cast.lee)
    form = form_on(client, path_of(run), "decide") | {"verdict": "approved", "confirm": TARGET}

    answers = [client.post(path_of(run), form).status_code for _ in range(2)]

    assert answers == [303, 409]
    assert Approval.objects.count() == 1


def test_of_two_who_decide_at_once_the_second_reads_what_the_first_did(run, cast, browse):
    both = threading.Barrier(2, timeout=30)
    clients = [browse(who) for who in (cast.lee, cast.mika)]
    forms = [
        form_on(clients[0], path_of(run), "decide") | {"verdict": "approved", "confirm": TARGET},
        form_on(clients[1], path_of(run), "decide") | {"verdict": "rejected", "comment": "No"},
    ]
    answers = []

    def act(client, form):
        both.wait()
        answers.append(client.post(path_of(run), form).status_code)
        connections.close_all()

    threads = [threading.Thread(target=act, args=pair) for pair in zip(clients, forms, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert sorted(answers) == [303, 409]
    assert Approval.objects.count() == 1
    assert state_of(run) == {"approved": "awaiting", "rejected": "rejected"}[Approval.objects.get().verdict]


def test_a_safe_change_is_decided_without_a_typed_name_and_says_nobody_is_asked(cast, browse):
    run = asked(cast, COMMENTED)

    html = browse(cast.lee).get(path_of(run)).content.decode()

    assert "confirm" not in fields_in(html, "decide")
    assert "No approval is missing: 1 migration runs on rewards/production when somebody starts it." in html
    assert "Its text destroys no data." in html


def test_a_way_back_is_decided_on_the_same_page(cast, browse):
    back = made.rollback(cast, deployed(cast, ADDED))

    html = browse(cast.lee).get(path_of(back)).content.decode()

    assert "If you approve, 2 migrations go back on rewards/production when somebody starts it." in html
    assert "DROP COLUMN" in html.replace('<span class="k">', "").replace("</span>", "")
    assert faults(html) == []


def test_the_pages_ask_the_database_a_bounded_number_of_times(run, cast, browse):
    client = browse(cast.lee)

    for path in ("/approvals/", path_of(run)):
        with CaptureQueriesContext(connections["default"]) as asked:
            assert client.get(path).status_code == 200
        assert len(asked) < MOST_QUERIES, [one["sql"] for one in asked]


def test_what_is_read_afterwards_is_shown_too(cast, browse):
    files = MigrationFiles(
        "001_points", "001", b"COMMENT ON TABLE points IS 'all'", b"SELECT 1", b"-- expect: 1\nSELECT 1"
    )
    found = Found((files,), b"-- expect: 7\nSELECT 7", story.LAYOUT)
    sync(cast.rewards, found=found, commit="", actor=COMMAND_LINE)
    story.read(cast.rewards_prod, {})

    html = browse(cast.lee).get(path_of(story.ask(cast.production, cast.dana))).content.decode()

    assert 'id="verify-1"' in html
    assert 'id="smoke"' in html
    assert "-- expect: 7" in html
    assert faults(html) == []
