"""The list of runs: who sees which, filters in the address, pages, and new runs that wait to be asked for."""

import re
from datetime import UTC, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deployments.authority import seen_environments
from deployments.models import Application, Database, Environment, Grant, MigrationRun, Policy, User
from deployments.models.approval import Verdict
from deployments.models.grant import Role
from deployments.selectors import run_list
from deployments.services.decide import decide, request_cancel
from tests.pages import made
from tests.pages.markup import faults
from tests.pages.words import words

LIVE = {"HX-Request": "true"}


def scripts(count):
    return {**made.TWO, **{f"202612{number:02}_more": f"SELECT {number};\n" for number in range(1, count + 1)}}


def requested(cast, count, **told):
    """Return some open runs, each with a plan of its own."""
    return [made.requested(cast, scripts=scripts(number), **told) for number in range(count)]


def numbers(answer):
    return [int(number) for number in re.findall(r'<th scope="row"><a href="/runs/(\d+)/">', answer.content.decode())]


def test_a_list_says_what_ran_where_and_how_it_ended(cast, browse):
    failed = made.failed(cast)
    (no, gone) = requested(cast, 3)[1:]
    decide(no, verdict=Verdict.REJECTED, digest=no.digest, comment="crm-export reads it", actor=made.person(cast.lee))
    request_cancel(gone, actor=made.person(cast.dana))

    answer = browse(cast.lee).get("/runs/")

    shown = words(answer)
    assert faults(answer.content.decode()) == []
    assert numbers(answer)[-1] == failed.number
    for told in ("1 of 2 applied", "by lee: “crm-export reads it”", "never ran", "lee (DBA), mika (architect)"):
        assert told in shown
    assert "lee (DBA): no, still: architect" in shown


def test_the_list_asks_a_bounded_number_of_queries(cast, browse):
    requested(cast, 6)
    client = browse(cast.lee)

    with CaptureQueriesContext(connection) as asked:
        client.get("/runs/")

    assert len(asked) <= 20


def test_a_list_leaves_out_what_a_person_may_not_know_of(cast, browse):
    other = Application.objects.create(slug="crm", name="CRM", layout="sql-pairs", source="folder:crm")
    place = Environment.objects.create(application=other, slug="production", name="Production", rank=1)
    Policy.objects.create(environment=place, version=1, rules={}, reason="The default")
    outsider = User.objects.create_user("olga")
    Grant.objects.create(user=outsider, role="developer", application=other)
    made.requested(cast)

    assert numbers(browse(outsider).get("/runs/")) == []
    assert "rewards" not in words(browse(outsider).get("/runs/"))
    assert list(seen_environments(outsider)) == [place]
    assert "There is nothing here that you may see." in words(browse(cast.charlie).get("/runs/"))


def test_no_run_yet_says_how_one_begins(cast, browse):
    assert "No run yet." in words(browse(cast.lee).get("/runs/"))


def test_who_holds_every_role_of_an_empty_installation_is_not_sent_to_ask_for_one(database, browse):
    alone = Grant.objects.create(user=User.objects.create(username="sam"), role=Role.ADMINISTRATOR).user
    stranger = User.objects.create(username="charlie")

    assert "No environment yet." in words(browse(alone).get("/runs/"))
    assert "Ask an administrator for a role" in words(browse(stranger).get("/runs/"))


@pytest.fixture
def three(cast):
    """A run that is over by Dana, one that waits by Noor, and its way back."""
    over = made.succeeded(cast)
    back = made.rollback(cast, over)
    return {"over": over.number, "back": back.number}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("environment=rewards/production", {"over", "back"}),
        ("environment=rewards/staging", set()),
        ("state=succeeded", {"over"}),
        ("state=open", {"back"}),
        ("state=over", {"over"}),
        ("kind=rollback", {"back"}),
        ("person=noor", {"back"}),
        ("person=dana&kind=rollback", set()),
        ("since=TODAY&until=TODAY", {"over", "back"}),
        ("since=TOMORROW", set()),
        ("until=YESTERDAY", set()),
    ],
)
def test_filters_live_in_the_address(three, cast, browse, query, expected):
    made_at = MigrationRun.objects.first().created_at.astimezone(UTC).date()
    for word, days in {"TODAY": 0, "TOMORROW": 1, "YESTERDAY": -1}.items():
        query = query.replace(word, str(made_at + timedelta(days=days)))

    answer = browse(cast.lee).get(f"/runs/?{query}")

    assert set(numbers(answer)) == {three[name] for name in expected}
    assert ("No run passes this filter." in words(answer)) == (not expected)
    assert "Show all" in words(answer)


@pytest.mark.parametrize("query", ["state=nonsense", "since=yesterday", "before=x", "environment=crm/production"])
def test_a_filter_that_cannot_be_read_lists_nothing_and_says_why(cast, browse, query):
    made.requested(cast)

    answer = browse(cast.lee).get(f"/runs/?{query}")

    assert answer.status_code == 422
    assert numbers(answer) == []
    assert "The filter cannot be read." in words(answer)
    assert faults(answer.content.decode()) == []


def test_pages_keep_the_filter_and_lead_to_all(cast, browse, monkeypatch):
    monkeypatch.setattr(run_list, "PAGE", 2)
    wanted = [run.number for run in requested(cast, 5)][::-1]
    client, seen, way = browse(cast.lee), [], "/runs/?kind=deploy"

    while way:
        answer = client.get(way.replace("&amp;", "&"))
        assert len(numbers(answer)) <= 2
        seen += numbers(answer)
        found = re.search(r'href="([^"]+)" rel="next"', answer.content.decode())
        way = found and found[1]
        assert way is None or "kind=deploy" in way

    assert seen == wanted


def test_new_runs_are_told_and_not_put_under_the_cursor(cast, browse):
    made.requested(cast)
    client = browse(cast.lee)
    first = client.get("/runs/")
    way = re.search(r'hx-get="([^"]+)"', first.content.decode())[1].replace("&amp;", "&")
    assert client.get(way, headers=LIVE).status_code == 204

    made.requested(cast, scripts=scripts(1))
    news = client.get(way, headers=LIVE)

    assert numbers(news) == numbers(first)
    assert "1 new run" in words(news)
    assert numbers(client.get("/runs/")) == [2, 1]


def test_a_run_that_moved_is_news(cast, browse):
    run = made.requested(cast)
    client = browse(cast.lee)
    way = re.search(r'hx-get="([^"]+)"', client.get("/runs/").content.decode())[1].replace("&amp;", "&")

    request_cancel(run, actor=made.person(cast.dana))

    assert "Cancelled" in words(client.get(way, headers=LIVE))


def test_a_page_whose_runs_are_over_asks_no_more(cast, browse, monkeypatch):
    monkeypatch.setattr(run_list, "PAGE", 1)
    for run in requested(cast, 2):
        request_cancel(run, actor=made.person(cast.dana))

    assert "hx-get" not in browse(cast.lee).get("/runs/?before=2&newest=2").content.decode()


def test_a_run_with_several_databases_names_what_differs(cast, browse):
    Database.objects.create(environment=cast.production, name="rewards_eu", position=2, connection="env:EU")
    made.failed(cast)

    assert "1 of 2 applied, nothing applied" in words(browse(cast.lee).get("/runs/"))
