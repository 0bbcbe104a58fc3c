"""Ending one session on pages: who it is and what it loses stand above the button, and another one is never meant."""

from dataclasses import replace

from deployments.actors import EXECUTOR
from deployments.models import SessionEnd
from deployments.postgres.guard import Bill
from deployments.services.end_session import write_outcome
from deployments.services.progress import write_waits
from tests.pages import made
from tests.pages.made import IN_THE_WAY
from tests.pages.markup import faults
from tests.pages.test_run_deeds import form_of, press
from tests.pages.words import words


def way_of(acts) -> str:
    return f"/runs/{acts.job.run.number}/sessions/4711/end/"


def test_the_run_says_whom_it_waits_for_and_offers_to_end_them(cast, browse):
    acts = made.waiting(cast)

    answer = browse(cast.noor).get(f"/runs/{acts.job.run.number}/")

    shown = words(answer)
    assert faults(answer.content.decode()) == []
    assert "Waits for a lock: pid 4711 (metabase, nightly report) is in the way." in shown
    assert "waiting for lock · Locktender" in shown
    assert "SELECT sum(amount) FROM points WHERE member = ?" in shown
    assert "idle in transaction" in shown
    assert f'href="{way_of(acts)}"' in answer.content.decode()


def test_a_person_without_that_right_reads_who_has_it_and_gets_no_button(cast, browse):
    acts = made.waiting(cast)

    answer = browse(cast.dana).get(f"/runs/{acts.job.run.number}/")
    page = browse(cast.dana).get(way_of(acts))
    refused = browse(cast.dana).post(way_of(acts), {"reason": "x"} | sent_for(acts))

    assert "You may not end a session that stands in its way" in words(answer)
    assert way_of(acts) not in answer.content.decode()
    assert "lee, noor can." in words(page)
    assert "<form class" not in page.content.decode()
    assert refused.status_code == 403
    assert not SessionEnd.objects.exists()


def sent_for(acts) -> dict[str, str]:
    return {
        "request_key": str(acts.job.run.request_key),
        "backend_start": IN_THE_WAY.backend_start.isoformat(),
        "xact_start": IN_THE_WAY.xact_start.isoformat(),
    }


def test_the_page_names_who_is_ended_and_what_they_lose_above_the_button(cast, browse):
    acts = made.waiting(cast)
    client, way = browse(cast.noor), way_of(acts)
    answer = client.get(way)
    shown = words(answer)
    assert faults(answer.content.decode()) == []
    assert shown.index("metabase loses what this transaction has not committed.") < shown.index(
        "End session 4711 of metabase on rewards_prod The executor"
    )

    pressed = press(client, way, reason="It was forgotten")

    assert (pressed.status_code, pressed["Location"]) == (302, f"/runs/{acts.job.run.number}/")
    wish = SessionEnd.objects.get()
    assert (wish.pid, wish.asked_by, wish.reason) == (4711, cast.noor, "It was forgotten")
    assert (wish.backend_start, wish.xact_start) == (IN_THE_WAY.backend_start, IN_THE_WAY.xact_start)
    assert "Its end was asked for by noor" in words(client.get(f"/runs/{acts.job.run.number}/"))


def test_without_a_reason_nobody_is_ended(cast, browse):
    acts = made.waiting(cast)

    answer = press(browse(cast.noor), way_of(acts))

    assert answer.status_code == 422
    assert not SessionEnd.objects.exists()


def test_another_transaction_of_the_same_session_is_another_ones_work(cast, browse):
    acts = made.waiting(cast)
    client, way = browse(cast.noor), way_of(acts)
    sent = form_of(client.get(way), way)
    other = replace(IN_THE_WAY, xact_start=IN_THE_WAY.xact_start.replace(hour=4), user="shop")
    write_waits(acts.job, "migrate", Bill(in_our_way=[other]).as_progress(), fence=acts.fence)

    answer = client.post(way, sent | {"reason": "It was forgotten"})

    assert answer.status_code == 409
    assert "Nothing was ended by this press." in words(answer)
    assert "shop loses what this transaction has not committed." in words(answer)
    assert "It was forgotten" in words(answer)
    assert not SessionEnd.objects.exists()


def test_a_session_that_is_gone_is_not_ended_and_the_page_says_so(cast, browse):
    acts = made.running(cast)
    write_waits(acts.job, "migrate", Bill().as_progress(), fence=acts.fence)

    assert "Session 4711 does not stand in the way of this run now." in words(browse(cast.noor).get(way_of(acts)))
    assert browse(cast.noor).post(way_of(acts), {"reason": "x"} | sent_for(acts)).status_code == 409


def test_what_became_of_it_stays_on_the_page_of_the_run(cast, browse):
    acts = made.waiting(cast)
    press(browse(cast.noor), way_of(acts), reason="It was forgotten")
    write_outcome(SessionEnd.objects.get().pk, "ended", actor=EXECUTOR)
    write_waits(acts.job, "migrate", Bill().as_progress(), fence=acts.fence)

    shown = words(browse(cast.ari).get(f"/runs/{acts.job.run.number}/"))

    assert "asked by noor" in shown
    assert "“It was forgotten”. Ended. Its open transaction was rolled back." in shown


def test_a_vacuum_against_wraparound_and_a_session_of_which_nothing_is_told_are_never_offered(cast, browse):
    acts = made.running(cast)
    vacuum = replace(IN_THE_WAY, pid=1, kind="anti-wraparound", user="")
    hidden = replace(IN_THE_WAY, pid=2, backend_start=None, xact_start=None)
    write_waits(acts.job, "migrate", Bill(in_our_way=[vacuum, hidden]).as_progress(), fence=acts.fence)

    answer = browse(cast.noor).get(f"/runs/{acts.job.run.number}/")

    assert "It is a vacuum that keeps the server from stopping. It is waited for." in words(answer)
    assert "With pg_read_all_stats that is told" in words(answer)
    assert "/sessions/" not in answer.content.decode()
