"""What people ask of executors: the wish stays as it was asked, its outcome is written once, whoever writes."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections
from django.db.models.functions import Now
from django.utils import timezone

from deployments.models import ControlPlane, Drain, Job, MigrationRun, SessionEnd, TargetRequest
from tests.deployments.cast import Cast, begin
from tests.deployments.refusals import not_permitted, refused_by

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)
ROLES = ("default", "owner")  # the application's, and the one that owns the tables
BOTH = pytest.mark.parametrize("role", ROLES)
PAUSED = {"pause_requested_at": LONG_AGO, "pause_reason": "The shop is busy"}


def is_now(moment: datetime) -> bool:
    return abs(timezone.now() - moment) < timedelta(minutes=1)


def rows(row, role: str = "default"):
    return type(row).objects.using(role).filter(pk=row.pk)


def again(row):
    return type(row).objects.get(pk=row.pk)


def wish(cast: Cast, job: Job | None = None, **told) -> SessionEnd:
    """Return a wish as a service writes it, read again."""
    about = {"pid": 4711, "backend_start": LONG_AGO, "reason": "A forgotten psql", "request_key": uuid.uuid4()}
    asked = SessionEnd.objects.create(job=job or begin(cast.job()), asked_by=cast.noor, **about | told)
    return again(asked)


def look(cast: Cast, **told) -> TargetRequest:
    job = begin(cast.job())
    return again(TargetRequest.objects.create(database=job.database, job=job, kind="look", **told))


def test_a_wish_is_dated_by_the_database_and_begins_without_an_outcome(cast: Cast):
    asked = wish(cast, asked_at=LONG_AGO, outcome="ended", done_at=LONG_AGO)

    assert is_now(asked.asked_at)
    assert (asked.outcome, asked.done_at) == ("", None)


def test_a_wish_to_end_a_session_stays_as_it_was_asked(cast: Cast):
    asked, other = wish(cast), cast.job()

    for name, value in {
        "pid": 1,
        "backend_start": Now(),
        "xact_start": LONG_AGO,
        "shown_user": "postgres",
        "shown_application": "psql",
        "reason": "Another",
        "request_key": uuid.UUID(int=1),
        "asked_at": LONG_AGO,
        "asked_by": cast.dana,
        "job": other,
        "id": 1_000,
    }.items():
        for role in ROLES:
            with refused_by("sessionend_frozen", using=role):
                rows(asked, role).update(**{name: value})


@BOTH
def test_its_outcome_is_written_once_with_the_databases_time(cast: Cast, role):
    asked = wish(cast)
    with refused_by("sessionend_done_exactly_with_its_outcome", using=role):
        rows(asked, role).update(done_at=LONG_AGO)
    with refused_by("sessionend_outcome_known", using=role):
        rows(asked, role).update(outcome="murdered")

    rows(asked, role).update(outcome="gone", done_at=LONG_AGO)

    assert is_now(again(asked).done_at)
    for change in ({"outcome": "ended"}, {"outcome": "", "done_at": None}, {"done_at": LONG_AGO}):
        with refused_by("sessionend_once", using=role):
            rows(asked, role).update(**change)
    assert again(asked).outcome == "gone"


def test_a_wish_is_kept_has_a_reason_and_is_asked_once_at_a_time(cast: Cast):
    first = wish(cast)
    with not_permitted():
        rows(first)._raw_delete("default")
    with refused_by("sessionend_kept", using="owner"):
        rows(first, "owner").delete()
    with refused_by("sessionend_kept", using="owner"):
        connections["owner"].cursor().execute("TRUNCATE deployments_sessionend")
    with refused_by("sessionend_reason_present"):
        wish(cast, first.job, pid=1, reason="")
    with refused_by("sessionend_once_at_a_time"):
        wish(cast, first.job)

    rows(first).update(outcome="gone")

    assert wish(cast, first.job).outcome == ""


@BOTH
def test_a_pause_names_its_person_and_reason_and_has_the_databases_time(cast: Cast, role):
    run = cast.run()
    for change in (PAUSED, {"pause_reason": "Why"}, {"pause_requested_by": cast.noor}, PAUSED | {"pause_reason": ""}):
        with refused_by("run_pause_request_names_its_person_and_reason", using=role):
            rows(run, role).update(**change)

    rows(run, role).update(**PAUSED, pause_requested_by=cast.noor)

    assert is_now(again(run).pause_requested_at)


@BOTH
def test_a_pause_stays_as_it_was_asked_until_it_is_taken_back_whole(cast: Cast, role):
    run = cast.run()
    rows(run).update(**PAUSED, pause_requested_by=cast.noor)

    for change in ({"pause_requested_at": LONG_AGO}, {"pause_reason": "Another"}, {"pause_requested_by": cast.dana}):
        with refused_by("run_pause_request", using=role):
            rows(run, role).update(**change)
    with refused_by("run_pause_request_names_its_person_and_reason", using=role):
        rows(run, role).update(pause_requested_at=None)

    rows(run, role).update(pause_requested_at=None, pause_requested_by=None, pause_reason="")
    rows(run, role).update(**PAUSED | {"pause_reason": "Again"}, pause_requested_by=cast.dana)
    assert (again(run).pause_reason, again(run).pause_requested_by) == ("Again", cast.dana)


def test_a_run_is_not_born_with_a_pause_of_another_time(cast: Cast):
    run = cast.run(**PAUSED, pause_requested_by=cast.noor)

    assert is_now(again(run).pause_requested_at)


def test_when_a_cancel_was_seen_and_had_ended_is_written_once(cast: Cast):
    job = begin(cast.job())
    rows(job).update(cancel_seen_at=LONG_AGO)
    rows(job).update(cancel_ended_at=LONG_AGO)

    for change in ({name: value} for name in ("cancel_seen_at", "cancel_ended_at") for value in (Now(), None)):
        for role in ROLES:
            with refused_by("job_cancel_facts", using=role):
                rows(job, role).update(**change)
    assert (again(job).cancel_seen_at, again(job).cancel_ended_at) == (LONG_AGO, LONG_AGO)


def test_a_paused_job_that_keeps_its_slot_is_the_one_writer(cast: Cast):
    resting, other = begin(cast.job()), cast.job()
    rows(resting).update(state="queued", holds_slot=True)
    with refused_by("job_one_writer_per_database"):
        begin(other)

    rows(resting).update(holds_slot=False)

    assert begin(other).state == "running"


def test_a_wish_about_a_target_stays_as_it_was_asked_and_as_it_was_answered(cast: Cast):
    asked = look(cast, created_at=LONG_AGO)
    assert is_now(asked.created_at)

    for change in ({"kind": "readopt"}, {"reason": "x"}, {"created_at": LONG_AGO}, {"job": None}):
        for role in ROLES:
            with refused_by("targetrequest_frozen", using=role):
                rows(asked, role).update(**change)
    rows(asked).update(answered_at=Now(), found={"applied": False})
    for change in ({"found": {"applied": True}}, {"answered_at": None}, {"error": "x"}):
        for role in ROLES:
            with refused_by("targetrequest_stays_as_it_ended", using=role):
                rows(asked, role).update(**change)


def test_a_wish_about_a_target_is_kept_whole_and_open_once(cast: Cast):
    asked = look(cast)
    target = {"database": asked.database}
    with not_permitted():
        rows(asked)._raw_delete("default")
    with refused_by("targetrequest_kept", using="owner"):
        rows(asked, "owner").delete()
    with refused_by("targetrequest_open_once"):
        TargetRequest.objects.create(**target, job=asked.job, kind="look")
    with refused_by("targetrequest_looks_for_a_job"):
        TargetRequest.objects.create(**target, kind="look")
    with refused_by("targetrequest_readopts_with_a_reason"):
        TargetRequest.objects.create(**target, kind="readopt")
    with refused_by("targetrequest_kind_known"):
        TargetRequest.objects.create(**target, kind="drop", reason="x")

    rows(asked).update(answered_at=Now())

    assert TargetRequest.objects.create(**target, job=asked.job, kind="look").pk


@BOTH
def test_a_drain_is_one_at_a_time_and_stays_as_it_was(cast: Cast, role):
    drain = again(Drain.objects.create(reason="An upgrade", begun_by=cast.sam, begun_at=LONG_AGO))
    assert is_now(drain.begun_at)
    with refused_by("drain_one_at_a_time", using=role):
        Drain.objects.using(role).create(reason="Another", begun_by=cast.sam)
    for change in ({"reason": "Another"}, {"begun_at": LONG_AGO}, {"begun_by": cast.dana}):
        with refused_by("drain_frozen", using=role):
            rows(drain, role).update(**change)

    rows(drain, role).update(ended_at=Now(), ended_by=cast.sam)

    with refused_by("drain_stays_as_it_ended", using=role):
        rows(drain, role).update(ended_at=None)
    with refused_by("drain_reason_present"):
        Drain.objects.create(reason="", begun_by=cast.sam)
    with not_permitted():
        rows(drain)._raw_delete("default")
    with refused_by("drain_kept", using="owner"):
        rows(drain, "owner").delete()


def test_no_number_is_set_but_by_the_function_that_only_moves_it_forward(cast: Cast):
    with not_permitted():
        ControlPlane.objects.update(last_lost_run=0)
    with not_permitted():
        connections["default"].cursor().execute("SELECT setval('deployments_fence', 1)")
    assert MigrationRun.objects.count() == 0
