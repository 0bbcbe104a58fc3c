"""What CI reports about the application's tests on a commit: kept as it was written, and the newest report counts."""

from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import transaction

from deployments.actors import COMMAND_LINE, person
from deployments.authority import NotAllowed
from deployments.models import AuditEvent, CommitTests
from deployments.selectors.reported import tests_of as newest_of
from deployments.services.report_tests import AddressUnusable, CommitNotWhole, report_tests
from tests.deployments.cast import Cast
from tests.deployments.refusals import not_permitted, refused_by

COMMIT = "5c0e7b2f" * 5
URL = "https://ci.example.org/builds/7?of=dana@home"


def report(cast: Cast, *, passed: bool = True, **told: str) -> CommitTests:
    return report_tests(cast.rewards, **{"commit": COMMIT} | told, passed=passed, actor=person(cast.dana))


def test_the_newest_report_of_a_commit_counts_and_the_older_ones_stay(cast):
    report(cast, passed=False, url=URL)
    report(cast, passed=True, reason="A flaky test was run again")
    report(cast, passed=False, commit="a" * 40)

    told = newest_of(cast.rewards, COMMIT)

    assert told is not None
    assert (told.passed, told.reason, told.reported_by) == (True, "A flaky test was run again", cast.dana)
    assert CommitTests.objects.count() == 3
    assert newest_of(cast.rewards, "b" * 40) is None
    assert newest_of(cast.rewards, "") is None


def test_who_reported_what_stands_in_the_audit_log(cast):
    report(cast, passed=False, url=URL, reason="Two fail")

    event = AuditEvent.objects.get(action="tests.reported")

    assert (event.actor, event.object_name, event.reason) == (cast.dana, str(cast.rewards), "Two fail")
    assert event.after == {"commit": COMMIT, "passed": False, "url": URL}


@pytest.mark.parametrize(
    "commit", ["", "5c0e7b2", "HEAD", COMMIT[:-1], COMMIT + "0", COMMIT[:-1] + "g", f"{COMMIT}\nx"]
)
def test_a_commit_that_is_not_named_whole_is_refused(cast, commit):
    with pytest.raises(CommitNotWhole):
        report(cast, commit=commit)

    assert not CommitTests.objects.exists()
    assert not AuditEvent.objects.filter(action="tests.reported").exists()


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "ci/7",
        "https://",
        "https://dana:secret@ci.example.org/7",
        "https://dana@ci.example.org",
        "https://ci.example.org/a b",
        "https://ci.example.org/\x1b[2J",
        "https://ci.example.org/" + "x" * 500,
        "HTTPS://ci.example.org",
    ],
)
def test_an_address_that_no_page_may_lead_to_is_refused_and_not_repeated(cast, url):
    with pytest.raises(AddressUnusable) as refused:
        report(cast, url=url)

    assert "secret" not in str(refused.value)
    assert not CommitTests.objects.exists()


def test_who_may_not_report_does_not(cast):
    for nobody in (person(cast.charlie), person(cast.sam), COMMAND_LINE):
        with pytest.raises(NotAllowed):
            report_tests(cast.rewards, commit=COMMIT, passed=True, actor=nobody)

    assert not CommitTests.objects.exists()


def test_a_report_is_kept_as_it_was_written_with_the_time_of_the_database(cast):
    CommitTests.objects.create(
        application=cast.rewards,
        commit=COMMIT,
        passed=True,
        reported_by=cast.dana,
        reported_at=datetime(2001, 1, 1, tzinfo=UTC),
    )

    assert CommitTests.objects.get().reported_at.year > 2001
    with not_permitted():
        CommitTests.objects.update(passed=False)
    with refused_by("committests_append_only", using="owner"):
        CommitTests.objects.using("owner").update(passed=False)
    with refused_by("committests_append_only", using="owner"):
        CommitTests.objects.using("owner").all().delete()


@pytest.mark.parametrize(
    ("constraint", "told"),
    [
        ("committests_commit_whole", {"commit": "5c0e7b2"}),
        ("committests_url_is_web", {"commit": COMMIT, "url": "javascript:alert(1)"}),
    ],
)
def test_the_database_itself_refuses_what_no_page_may_show(cast, constraint, told):
    with refused_by(constraint), transaction.atomic():
        CommitTests.objects.create(application=cast.rewards, passed=True, reported_by=cast.dana, **told)


def test_the_command_records_it_and_says_so(cast, capsys):
    call_command("report_tests", "--application=rewards", f"--commit={COMMIT}", "--failed", f"--url={URL}", "--as=dana")

    assert capsys.readouterr().out == "Recorded for rewards: tests failed on 5c0e7b2f5c0e.\n"
    assert CommitTests.objects.get().passed is False


def test_the_command_takes_a_result_and_one_only(cast):
    for result in ([], ["--passed", "--failed"]):
        with pytest.raises(CommandError):
            call_command("report_tests", "--application=rewards", f"--commit={COMMIT}", *result, "--as=dana")

    assert not CommitTests.objects.exists()
