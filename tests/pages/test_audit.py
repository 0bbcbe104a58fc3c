"""The audit log: who reads how much of it, filters, whether the chain is whole, and exports."""

import csv
import io
import json
import os

import psycopg
import pytest
from django.db import transaction

from deployments.actors import COMMAND_LINE, person
from deployments.models import AuditEvent, Grant
from deployments.selectors import audit_log
from deployments.selectors.audit import check_chain
from deployments.selectors.audit_log import COLUMNS
from deployments.services.audit import record
from deployments.services.decide import request_cancel
from deployments.views import audit
from tests.pages import made
from tests.pages.markup import faults
from tests.servers import SUPERUSER_URL


@pytest.fixture
def run(cast):
    """A run that Dana asked for and cancelled again."""
    asked = made.requested(cast)
    return request_cancel(asked, actor=person(cast.dana, request_id="01KAGZ7Q4M", address="192.0.2.7"))


@pytest.fixture
def break_chain(database):
    """Return a function that changes an event as a rogue administrator could."""

    def change(seq, how="UPDATE deployments_auditevent SET reason = 'nothing to see' WHERE seq = %s"):
        with psycopg.connect(os.environ[SUPERUSER_URL], dbname=database, autocommit=True) as opened:
            opened.execute("ALTER TABLE deployments_auditevent DISABLE TRIGGER ALL")
            opened.execute(how, [seq])

    return change


def html_of(client, query=""):
    return client.get(f"/audit/{query}").content.decode()


def seqs(html):
    return [int(part.partition('"')[0]) for part in html.split('<tr id="event-')[1:]]


def body(client, query=""):
    return b"".join(client.get(f"/audit/events.{query}").streaming_content).decode()


def test_who_did_what_when_and_why_is_told_newest_first(run, cast, browse):
    html = html_of(browse(cast.ari))

    assert faults(html) == []
    newest = AuditEvent.objects.latest("seq")
    assert seqs(html) == list(range(newest.seq, 0, -1))
    assert "awaiting → cancelled" in html
    for told in ("run.requested", "Points need a currency", "192.0.2.7", "01KAGZ7Q4M", newest.hash[:4]):
        assert told in html
    assert f'<a href="/runs/{run.number}/">#1</a>' in html
    assert f"The chain is whole: all {newest.seq} events fit." in html


def test_who_may_not_read_the_log_reads_what_they_did_themselves(run, cast, browse):
    html = html_of(browse(cast.dana))

    assert "Your own actions." in html
    assert "run.requested" in html
    assert "database.identified" not in html
    assert "chain is whole" not in html
    assert "Your own actions." in html_of(browse(cast.dana), "?run=1")
    assert "No event yet." in html_of(browse(cast.charlie))
    assert {row["actor_name"] for row in json.loads(body(browse(cast.dana), "json"))} == {"dana"}
    assert json.loads(body(browse(cast.charlie), "json?run=1")) == []


def test_a_dba_of_one_application_reads_the_story_of_its_runs(run, cast, browse):
    Grant.objects.create(user=cast.charlie, role="dba", application=cast.rewards)
    client = browse(cast.charlie)

    assert "No event yet." in html_of(client)
    html = html_of(client, f"?run={run.number}")
    assert "The story of this run." in html
    assert [event.action for event in AuditEvent.objects.filter(seq__in=seqs(html))] != []
    assert "database.identified" not in html


@pytest.mark.parametrize(
    ("query", "actions"),
    [
        ("?actor=DANA", ["run.moved", "run.requested"]),
        ("?action=run.req", ["run.requested"]),
        ("?action=run.&actor=dana", ["run.moved", "run.requested"]),
        ("?object=rewards_prod", ["database.identified"]),
        ("?run=1", ["run.moved", "run.requested"]),
        ("?run=77", []),
        ("?since=2001-01-01&until=2001-01-02", []),
        ("?until=9999-12-31&action=run.requested", ["run.requested"]),
    ],
)
def test_filters_live_in_the_address(run, cast, browse, query, actions):
    html = html_of(browse(cast.ari), query)

    found = AuditEvent.objects.filter(seq__in=seqs(html)).order_by("-seq")
    assert [event.action for event in found] == actions


@pytest.mark.parametrize("query", ["?since=yesterday", "?run=x", "?run=99999999999999999999", "?actor=%00"])
def test_a_filter_that_cannot_be_read_is_told_beside_its_field(run, cast, browse, query):
    client = browse(cast.ari)

    for path in (f"/audit/{query}", f"/audit/events.csv{query}"):
        answer = client.get(path)
        assert answer.status_code == 422
        assert "Nothing was looked for." in answer.content.decode()
        assert faults(answer.content.decode()) == []


def test_older_events_are_a_link_away(run, cast, browse, monkeypatch):
    monkeypatch.setattr(audit_log, "PAGE", 2)
    client = browse(cast.ari)
    last = AuditEvent.objects.latest("seq").seq

    first = html_of(client)
    second = html_of(client, f"?before={last - 1}")

    assert seqs(first) == [last, last - 1]
    assert f'href="/audit/?before={last - 1}"' in first
    assert seqs(second) == [last - 2, last - 3]
    assert 'href="/audit/"' in second


def test_a_broken_chain_is_the_first_thing_one_reads(run, cast, browse, break_chain):
    break_chain(2)

    html = html_of(browse(cast.ari))

    assert "The chain is broken at event 2." in html
    assert "tab-fail" in html


def test_only_the_newest_are_checked_with_the_page_and_all_of_them_when_asked(
    run, cast, browse, break_chain, monkeypatch
):
    monkeypatch.setattr(audit, "NEWEST_CHECKED", 2)
    last = AuditEvent.objects.latest("seq").seq
    break_chain(1)
    client = browse(cast.ari)

    html = html_of(client)
    assert f"The newest 2 of {last} events fit." in html
    assert "The older ones were not looked at." in html
    assert 'href="/audit/?whole=1"' in html
    assert "The chain is broken at event 1." in html_of(client, "?whole=1")


@pytest.mark.parametrize("newest", [1, 2, 3])
def test_a_check_of_the_newest_finds_what_was_changed_among_them(run, cast, break_chain, newest):
    last = AuditEvent.objects.latest("seq").seq
    assert check_chain(newest=newest).is_whole

    break_chain(last - 1)

    assert check_chain(newest=newest).broken_at == (None if newest == 1 else last - 1)
    assert check_chain().broken_at == last - 1


@pytest.mark.parametrize("newest", [1, 2, None])
def test_an_event_that_was_written_anew_with_its_hash_breaks_the_one_after_it(run, cast, break_chain, newest):
    last = AuditEvent.objects.latest("seq").seq

    break_chain(last - 1)
    break_chain(last - 1, "UPDATE deployments_auditevent event SET hash = locktender_audit_hash(event) WHERE seq = %s")

    assert check_chain(newest=newest).broken_at == last


def test_a_check_that_takes_too_long_says_nothing_about_the_chain(run, cast, browse, monkeypatch):
    monkeypatch.setattr(audit, "check_whole_chain", lambda: None)

    html = html_of(browse(cast.ari), "?whole=1")

    assert "Not checked: it took longer than 30" in html
    assert "chain is whole" not in html


def test_exports_hold_the_filtered_events_with_the_chain(run, cast, browse):
    client = browse(cast.ari)
    events = list(AuditEvent.objects.filter(action__startswith="run.").order_by("seq"))

    rows = list(csv.DictReader(io.StringIO(body(client, "csv?action=run."))))
    told = json.loads(body(client, "json?action=run."))

    assert tuple(rows[0]) == COLUMNS == tuple(told[0])
    for exported in (rows, told):
        assert [(int(row["seq"]), row["previous_hash"], row["hash"]) for row in exported] == [
            (event.seq, event.previous_hash, event.hash) for event in events
        ]
    assert [row["after"] for row in told] == [event.after for event in events]
    assert json.loads(rows[0]["after"]) == events[0].after
    assert rows[0]["at"] == f"{events[0].at:%Y-%m-%dT%H:%M:%S.%f}Z"
    answer = client.get("/audit/events.csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith('attachment; filename="locktender-audit-')
    assert "no-cache" in answer["Cache-Control"]


def test_an_export_that_is_too_long_is_refused_and_not_cut(run, cast, browse, monkeypatch):
    monkeypatch.setattr(audit_log, "MOST_EXPORTED", 1)

    answer = browse(cast.ari).get("/audit/events.json")

    assert answer.status_code == 422
    assert "Nothing was exported." in answer.content.decode()


def test_a_spreadsheet_executes_nothing_of_an_export(run, cast, browse):
    with transaction.atomic():
        record(COMMAND_LINE, "run.noted", run, reason="=HYPERLINK(1)", after="@SUM(1)")

    row = list(csv.DictReader(io.StringIO(body(browse(cast.ari), "csv"))))[-1]

    assert row["reason"] == "'=HYPERLINK(1)"
    assert row["after"].startswith("'")
    assert json.loads(body(browse(cast.ari), "json"))[-1]["reason"] == "=HYPERLINK(1)"
