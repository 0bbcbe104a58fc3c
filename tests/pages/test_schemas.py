"""What a run made of a schema, and how a database stands to what is expected of it, as pages tell it."""

from typing import Any

from checks.schema import Snapshot
from deployments.models import AuditEvent, Observation, SchemaExpectation, SchemaRecord, SchemaSnapshot
from deployments.models.schema import Expected
from tests.deployments.cast import Cast
from tests.pages import made, story
from tests.pages.forms import form_on
from tests.pages.markup import faults

USERS: dict[str, Any] = {
    "owner": "shop",
    "columns": {"id": {"type": "integer"}, "name": {"type": "text"}},
    "column order": ["id", "name"],
}
GROWN = USERS | {
    "columns": USERS["columns"] | {"note": {"type": "text"}},
    "column order": ["id", "name", "note"],
}


def schema(users: dict[str, Any] = USERS, **others: dict[str, Any]) -> Snapshot:
    return Snapshot(
        {"table public.users": users} | {f"table public.{name}": one for name, one in others.items()}, 160_009
    )


def read(cast: Cast, what: Snapshot, **fields: Any) -> Observation:
    return story.read(cast.rewards_prod, {}, schema=what, **fields)


def shown(browse, person, path: str) -> str:
    answer = browse(person).get(path)
    html = answer.content.decode()
    assert answer.status_code == 200, html
    assert faults(html) == []
    return html


def drift(cast: Cast) -> str:
    return f"/databases/{cast.rewards_prod.pk}/drift/"


def test_a_thousand_readings_of_one_schema_are_kept_once(cast):
    for _ in range(3):
        read(cast, schema(coupons={"owner": "shop"}))
    read(cast, schema(GROWN, coupons={"owner": "shop"}))

    assert Observation.objects.count() == 4
    assert SchemaSnapshot.objects.count() == 2
    assert SchemaRecord.objects.count() == 3  # users twice, coupons once
    assert SchemaExpectation.objects.get().kind == Expected.FIRST


def test_a_database_as_expected_says_so_and_when_it_was_read(cast, browse):
    read(cast, schema())
    read(cast, schema())

    html = shown(browse, cast.dana, drift(cast))

    assert "The schema is as expected." in html
    assert "It was read first. What was there before is not known." in html
    assert "Accept the difference" not in html
    assert "The schema is as expected." in shown(browse, cast.dana, f"/databases/{cast.rewards_prod.pk}/")


def test_a_drift_is_told_with_what_differs_since_when_and_what_can_be_done(cast, browse):
    read(cast, schema())
    read(cast, schema(GROWN))
    read(cast, schema())  # it was undone, and came again
    first = read(cast, schema(GROWN, theirs={"owner": "root"}))
    read(cast, schema(GROWN, theirs={"owner": "root"}))

    html = shown(browse, cast.dana, drift(cast))

    assert "The schema is not as expected: 2 objects differ." in html
    assert '<ins class="l">+ column note: type: text</ins>' in html
    assert '<ins class="l">+ table public.theirs</ins>' in html
    assert first.observed_at.isoformat(timespec="seconds")[:19] in html.replace("Z", "+00:00")
    assert "Every deploy there is refused" in html
    assert "You can read this, not accept it." in html
    assert "lee can." in html
    assert "The schema is not as expected" in shown(browse, cast.dana, f"/databases/{cast.rewards_prod.pk}/")


def test_a_dba_accepts_a_drift_with_a_reason_and_it_is_expected_from_then_on(cast, browse):
    read(cast, schema())
    read(cast, schema(GROWN))
    sent = form_on(browse(cast.lee), drift(cast), "accept")

    without = browse(cast.lee).post(drift(cast), sent | {"reason": " "})
    answer = browse(cast.lee).post(drift(cast), sent | {"reason": "Incident 7"})

    assert (without.status_code, answer.status_code) == (422, 302)
    expected = SchemaExpectation.objects.latest("id")
    assert (expected.kind, expected.accepted_by, expected.reason) == (Expected.ACCEPTED, cast.lee, "Incident 7")
    told = AuditEvent.objects.get(action="database.drift-accepted")
    assert (told.actor_name, told.reason) == ("lee", "Incident 7")
    assert "The schema is as expected." in shown(browse, cast.lee, drift(cast))


def test_what_changed_since_a_person_looked_is_not_accepted(cast, browse):
    read(cast, schema())
    read(cast, schema(GROWN))
    sent = form_on(browse(cast.lee), drift(cast), "accept") | {"reason": "Incident 7"}
    read(cast, schema(GROWN, theirs={"owner": "root"}))

    answer = browse(cast.lee).post(drift(cast), sent)

    assert answer.status_code == 409
    assert "is not as you saw it" in answer.content.decode()
    assert SchemaExpectation.objects.get().kind == Expected.FIRST


def test_who_is_no_dba_accepts_nothing(cast, browse):
    read(cast, schema())
    seen = read(cast, schema(GROWN))

    answer = browse(cast.dana).post(drift(cast), {"seen": seen.pk, "reason": "Mine", "request_key": "x"})

    assert answer.status_code in {403, 409, 422}
    assert SchemaExpectation.objects.count() == 1


def test_partitions_are_no_drift_and_are_named(cast, browse):
    read(cast, schema())
    read(cast, schema(parts_2={"bound": "FOR VALUES FROM (2) TO (3)"}))

    html = shown(browse, cast.dana, drift(cast))

    assert "The schema is as expected." in html
    assert "1 that differs" in html
    assert "public.parts_2" in html.replace("<wbr>", "")


def test_what_was_never_read_is_not_known(cast, browse):
    assert "It was never read." in shown(browse, cast.dana, drift(cast))


def test_a_run_of_ours_is_no_drift_even_where_it_ended_in_the_middle(cast, browse):
    read(cast, schema())
    run = made.failed(cast)  # with one of two migrations applied, and no look afterwards
    read(cast, schema(GROWN))

    expected = SchemaExpectation.objects.latest("id")

    assert (expected.kind, expected.job) == (Expected.RUN, run.jobs.get())
    assert "The schema is as expected." in shown(browse, cast.dana, drift(cast))


def test_the_page_of_a_run_tells_before_and_after(cast, browse):
    acts = made.Executor(made.started(cast))
    job = acts.job
    acts.walk("checks before")
    for what, until in ((schema(), "checks after"), (schema(GROWN), "smoke")):
        seen = read(cast, what)
        acts.end(job.steps.last(), evidence={"schema": {"observation": seen.pk}})
        acts.walk(until)

    html = shown(browse, cast.dana, f"/runs/{job.run.number}/schema/")

    assert '<ins class="l">+ column note: type: text</ins>' in html
    assert "1 changed" in html
    assert f"/runs/{job.run.number}/schema/" in shown(browse, cast.dana, f"/runs/{job.run.number}/")


def test_a_run_that_read_nothing_says_so(cast, browse):
    run = made.failed(cast)

    assert "It was not read before the run." in shown(browse, cast.dana, f"/runs/{run.number}/schema/")
