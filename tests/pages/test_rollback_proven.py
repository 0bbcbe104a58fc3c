"""The page of a way back that was rehearsed and counted: what is proven, what it costs, and who takes it alone."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from checks.rehearsal.proof import Loss, Outcome, Try
from deployments.actors import EXECUTOR, person
from deployments.models import AuditEvent, Environment, MigrationRun, TargetRequest
from deployments.selectors.overview import needs
from deployments.selectors.runs import unmet_of
from deployments.services.decide import NotYet, start
from deployments.services.health import keep_version
from tests.pages import made
from tests.pages.deployed import ADDED, released
from tests.pages.forms import form_on, has_form
from tests.pages.markup import faults
from tests.pages.proven import PROOF, counted, gone, proven
from tests.pages.words import signs, words

KEPT = [gone("points.currency", 7, 0), gone("ledger", 2, 0)]
LOST = [gone("points.currency", 7, 3), gone("ledger", 2, 0)]


def path_of(run):
    return f"/runs/{run.number}/rollback/"


def shown(client, run) -> str:
    page = client.get(path_of(run))
    assert faults(page.content.decode()) == []
    return words(page)


def press(client, run, **typed):
    return client.post(path_of(run), form_on(client, path_of(run), "press") | {"reason": "It broke"} | typed)


def later(monkeypatch, **by: float) -> None:
    """Let so much time have passed."""
    now = timezone.now() + timedelta(**by)
    monkeypatch.setattr("deployments.selectors.lane.database_now", lambda: now)


def backs():
    return MigrationRun.objects.filter(kind="rollback")


def test_what_is_proven_and_counted_is_said_first_with_time_and_locks_of_the_clone(cast, browse):
    run = proven(cast)
    counted(run, cast.noor, going=KEPT)

    page = browse(cast.noor).get(path_of(run))
    text = words(page)

    assert faults(page.content.decode()) == []
    assert (
        "The scripts restore everything. Nothing is lost. Dropped: 7 values of points.currency, 0 written since; 2 rows"
        in text
    )
    assert "Restores everything" in signs(page)
    assert "1.0 s on the clone (8.0 MB), so here" in text
    assert "reads and writes wait: AccessExclusiveLock on ledger, points" in text
    assert "ShareLock" not in text.replace("AccessExclusiveLock", "")  # that was the way forward
    assert "run #2" in text
    assert "exactly these scripts" in text
    assert "caches, queues, mails and payments already sent" in text
    assert "Every row fits the old schema." in text
    assert "you, alone: approved with run #1. Others see it at once" in text
    assert "Not rehearsed" not in text
    assert 'name="confirm"' not in page.content.decode()


def test_one_person_takes_it_alone_and_those_who_would_be_asked_see_it_at_once(cast, browse):
    run = proven(cast)
    counted(run, cast.noor, going=KEPT)

    answer = press(browse(cast.noor), run)

    back = backs().get()
    assert (answer.status_code, back.state, back.plan["requirements"]["approvals"]) == (303, "queued", [])
    told = AuditEvent.objects.get(action="run.rolled-back-alone")
    assert (told.actor, told.after["would_ask"]) == (cast.noor, ["dba"])
    for somebody in (cast.lee, cast.mika):
        (need,) = [one for one in needs(somebody).shown if one.sign == "rolled-back"]
        assert (need.run, need.said, need.is_mine) == (back, "noor rolls back alone", True)
    assert "noor rolls back alone" in words(browse(cast.lee).get("/"))
    for somebody in (cast.noor, cast.dana):
        assert not [one for one in needs(somebody).shown if one.sign == "rolled-back"]


def test_more_than_was_accepted_takes_a_second_person_and_the_typed_name(cast, browse):
    run = proven(cast)
    counted(run, cast.noor, going=LOST)
    client = browse(cast.noor)

    text = shown(client, run)
    assert "Restores everything there was. At most 3 values of points.currency are lost." in text
    assert "Not alone: At most 3 values of points.currency are lost." in text
    assert press(client, run).status_code == 422
    assert press(client, run, confirm="rewards/production").status_code == 303

    back = backs().get()
    assert (back.state, [one.rule for one in unmet_of(back)]) == ("awaiting", ["approval-dba"])
    assert not AuditEvent.objects.filter(action="run.rolled-back-alone").exists()


def test_what_its_author_declared_was_accepted_with_the_scripts(cast, browse):
    run = proven(cast)
    counted(run, cast.noor, going=[gone("points.currency", 7, 3, is_declared=True)])

    text = shown(browse(cast.noor), run)

    assert "What is declared irreversible is lost." in text
    assert "you, alone" in text
    assert press(browse(cast.noor), run, confirm="rewards/production").status_code == 303
    assert backs().get().state == "queued"


@pytest.mark.parametrize("what", ["nothing", "long ago", "other scripts"])
def test_what_was_not_counted_lately_is_never_called_nothing(cast, browse, monkeypatch, what):
    run = proven(cast)
    if what == "long ago":
        counted(run, cast.noor, going=KEPT)
        later(monkeypatch, minutes=16)
    elif what == "other scripts":
        counted(run, cast.noor, going=KEPT, scripts="of others")

    text = shown(browse(cast.noor), run)

    assert "What the scripts drop was not counted lately." in text
    assert "you, alone" not in text
    if what != "long ago":
        assert "Nothing is lost" not in text
        assert "What goes now was not counted." in text


def test_counting_is_asked_for_once_and_shows_by_itself(cast, browse):
    run = proven(cast)
    client = browse(cast.noor)
    assert browse(cast.dana).post(path_of(run), {"count": "1"}).status_code == 403

    for _ in range(2):
        assert client.post(path_of(run), {"count": "1"}).status_code == 303

    wish = TargetRequest.objects.get()
    assert (wish.kind, wish.job, wish.requested_by) == ("script-price", run.jobs.get(), cast.noor)
    assert "It is being counted." in shown(client, run)


def test_rows_that_do_not_fit_the_old_schema_stand_in_the_verdict(cast, browse):
    run = proven(cast)
    unfit = [
        {"what": "points.code is NULL", "count": 4, "why": ""},
        {"what": "odd", "count": None, "why": "No question follows."},
    ]
    counted(run, cast.noor, going=KEPT, unfit=unfit)

    text = shown(browse(cast.noor), run)

    assert "Rows that do not fit the old schema: 4 rows: points.code is NULL." in text
    assert "odd: not counted. No question follows." in text
    assert "Every row fits" not in text


@pytest.mark.parametrize(
    ("proof", "say"),
    [
        (
            replace(PROOF, outcome=Outcome.NOT_PROVEN, problems=("index by_code does not come back",)),
            "The scripts are not proven: index by_code does not come back.",
        ),
        (
            replace(PROOF, outcome=Outcome.LOSES, losses=(Loss("points.total", "values", 3, 5),)),
            "Proven: it restores the schema and loses 3 of 5 values of points.total.",
        ),
    ],
)
def test_another_outcome_is_told_and_takes_a_second_person(cast, browse, proof, say):
    run = proven(cast, proof=proof)
    counted(run, cast.noor, going=KEPT)

    text = shown(browse(cast.noor), run)

    assert say in text
    assert "you, alone" not in text
    assert not any(f"Nothing is lost{end}" in text for end in (".", ","))


@pytest.mark.parametrize("is_tried", [False, True])
def test_a_part_of_a_run_is_proven_only_where_that_part_was_tried(cast, browse, is_tried):
    part = Try("the way back after 1 of 2 migrations", is_good=is_tried, seconds=0.1)
    run = proven(cast, proof=replace(PROOF, tries=(part,)), applied=1)
    counted(run, cast.noor, going=KEPT[:1])

    text = shown(browse(cast.noor), run)

    assert ("you, alone" in text) is is_tried
    assert ("Not rehearsed after 1 of 2 migrations" in text) is not is_tried


def test_a_rollback_script_that_was_changed_since_is_neither_proven_nor_approved(cast, browse):
    run = proven(cast)
    counted(run, cast.noor, going=KEPT)
    changed = ADDED | {"002_ledger": (ADDED["002_ledger"][0], "DROP TABLE IF EXISTS ledger")}
    released(cast, changed)

    text = shown(browse(cast.noor), run)

    assert "Not rehearsed" in text
    assert "Not alone: It was not rehearsed with exactly these scripts." in text


def test_the_next_run_on_the_database_ends_it(cast, browse):
    run = proven(cast)
    counted(run, cast.noor, going=KEPT)
    later = cast.run(kind="repair")
    cast.job(later, state="queued")
    made.Executor(later)

    assert f"Not alone: Run {later} has run there since." in shown(browse(cast.noor), run)


def test_what_one_person_asked_for_and_did_not_begin_needs_a_second_one_once_it_no_longer_stands(cast, monkeypatch):
    run = proven(cast)
    counted(run, cast.noor, going=KEPT)
    back = made.rollback(cast, run)
    assert unmet_of(back) == ()

    later(monkeypatch, hours=25)

    (unmet,) = unmet_of(back)
    assert unmet.text.startswith("Run #1 ended more than 24 hours ago. Cancel it and ask again")
    with pytest.raises(NotYet):
        start(back, actor=person(cast.noor))


def test_the_version_that_came_after_the_run_is_rolled_back_first(cast, browse):
    run = proven(cast, version="5c0e7b2")
    client = browse(cast.noor)
    assert "Which version runs there is not known." in shown(client, run)
    keep_version(cast.production, "5c0e7b2", actor=EXECUTOR)
    assert "The application can stay." in shown(client, run)
    keep_version(cast.production, "9f2c1e4", actor=EXECUTOR)

    text = shown(client, run)
    assert "First: roll the application back to 5c0e7b2. Version 9f2c1e4 came after run #1 and may need" in text
    assert "The deployment system" not in text
    Environment.objects.filter(pk=cast.production.pk).update(rollback_hook="https://deploy.example/")
    assert "The deployment system is asked for it before the scripts run." in shown(client, run)


def test_a_form_of_before_the_count_is_told_to_be_old(cast, browse):
    run = proven(cast)
    client = browse(cast.noor)
    form = form_on(client, path_of(run), "press") | {"reason": "It broke", "confirm": "rewards/production"}
    html = client.get(path_of(run)).content.decode()
    live = html.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")
    counted(run, cast.noor, going=KEPT)

    part = client.get(live, headers={"HX-Request": "true"}).content.decode()

    assert "show the press as it is now" in part
    assert "<form" not in part
    assert client.post(path_of(run), form).status_code == 409
    assert has_form(client.get(path_of(run)).content.decode(), "press")
    assert not backs().exists()
