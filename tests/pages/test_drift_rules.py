"""A DBA says with a reason what is ignored in one environment: it is no drift there, and still is elsewhere."""

from deployments.models import AuditEvent, DriftRules
from tests.pages import story
from tests.pages.forms import form_on
from tests.pages.markup import faults
from tests.pages.test_schemas import drift, schema
from tests.pages.test_schemas import read as read_schema


def shown(browse, person, path: str) -> str:
    answer = browse(person).get(path)
    html = answer.content.decode()
    assert answer.status_code == 200, html
    assert faults(html) == []
    return html.replace("<wbr>", "")


def test_what_a_dba_ignores_is_no_drift_in_that_environment_alone(cast, browse):
    staging = story.second_database(cast)
    grown = schema(tmp_1={"owner": "job"})
    for what in (schema(), grown):
        read_schema(cast, what)
        story.read(staging, {}, schema=what, system_identifier="7000000000000000009")
    assert "1 object differs" in shown(browse, cast.lee, "/databases/")
    path = f"/databases/{cast.rewards_prod.pk}/drift/rules/"
    sent = form_on(browse(cast.lee), path, "rules") | {"objects": "table public.tmp_*\r\n\r\n"}

    answers = [
        browse(person).post(path, sent | more).status_code
        for person, more in (
            (cast.lee, {"reason": " "}),
            (cast.dana, {"reason": "Mine"}),
            (cast.lee, {"reason": "All", "objects": "*"}),
            (cast.lee, {"reason": "The nightly job makes and drops them"}),
        )
    ]

    assert answers == [422, 403, 422, 302]
    assert DriftRules.objects.get().rules["objects"] == ["table public.tmp_*"]
    told = AuditEvent.objects.get(action="environment.drift-rules")
    assert (told.actor_name, told.reason) == ("lee", "The nightly job makes and drops them")
    html = shown(browse, cast.lee, drift(cast))
    assert "The schema is as expected." in html
    assert "public.tmp_1" in html  # what is left out is named
    elsewhere = shown(browse, cast.lee, f"/databases/{staging.pk}/drift/")
    assert "The schema is not as expected" in elsewhere


def test_a_drift_is_on_the_overview_and_what_is_not_known_is_never_green(cast, browse):
    read_schema(cast, schema())
    assert "drifted" not in shown(browse, cast.lee, "/")
    read_schema(cast, schema(theirs={"owner": "root"}))

    html = shown(browse, cast.lee, "/")

    assert "its schema is not as expected, in 1 object" in html
    assert "One thing needs you: one drifted database." in html
    assert "1 drifted" in html
    story.second_database(cast)
    assert "Schema of 1 not known" in shown(browse, cast.lee, "/")
