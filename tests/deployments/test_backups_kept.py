"""How long a backup stays, what is found out about it every day, and who may say that it stays."""

import pytest
from django.conf import settings
from django.db.models.functions import Now

from deployments.actors import COMMAND_LINE, DISPATCHER, person
from deployments.artifacts import Artifacts
from deployments.authority import NotAllowed
from deployments.models import (
    AuditEvent,
    Backup,
    BackupCheck,
    BackupExpiry,
    BackupHold,
    Environment,
    Job,
    MigrationRun,
    Step,
    TargetRequest,
)
from deployments.models.backup import CheckOutcome
from deployments.pipelines.tending import tend_backups
from deployments.postgres.backup.archive import write_manifest
from deployments.selectors.backups import backups_of, reason_to_stay
from deployments.services.backups import expire, hold_backup, note_check
from deployments.services.plan_refusals import ReasonMissing
from deployments.services.restore_tables import TablesNotToBeHad, request_tables
from deployments.services.setup import NotAReference, set_rehearsal_server
from tests.deployments.cast import Cast, begin, step
from tests.deployments.refusals import not_permitted, refused_by

ON_TOP = "its run can be rolled back: nothing was deployed on top"
SHA = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"  # of "0"


@pytest.fixture
def store(tmp_path, monkeypatch) -> Artifacts:
    """A store of this test's own, in which what is not the newest is old at once."""
    monkeypatch.setattr(settings.CONFIGURATION, "artifacts", tmp_path / "artifacts")
    monkeypatch.setattr(settings.CONFIGURATION, "backup_days", 0)
    monkeypatch.setattr(settings.CONFIGURATION, "backups_kept", 2)
    return Artifacts(tmp_path / "artifacts")


@pytest.fixture
def made(cast: Cast, store: Artifacts):
    """Make a backup of a run that is over, with its files."""

    def make(*, is_over: bool = True) -> Backup:
        job = begin(cast.job())
        place = f"plane/run-{job.run.number}/job-{job.pk}/fence-{job.fence}"
        with store.writing(place) as folder:
            (folder / "dump").mkdir()
            (folder / "dump" / "toc.dat").write_text("0")
            content = {"files": {"dump/toc.dat": {"bytes": 1, "sha256": SHA}}, "snapshot": {"at": "now"}}
            manifest = write_manifest(folder, content)
        kept = Backup.objects.create(
            job=job,
            scope="database",
            place=place,
            level="readable",
            bytes=1,
            files=1,
            snapshot_at=Now(),
            snapshot_lsn="0/1",
            server_version=180006,
            client_version="18.6",
            manifest_sha256=manifest.sha256,
        )
        began(job)
        if is_over:
            Job.objects.filter(pk=job.pk).update(state="succeeded")
        return Backup.objects.get(pk=kept.pk)

    return make


def began(job: Job) -> None:
    """Have a job begin to change its database, and stop."""
    migrate = Step.objects.filter(pk=step(job, position=4).pk)
    migrate.update(state="running", started_at=Now(), fence=job.fence)
    migrate.update(state="failed", finished_at=Now())


def over(run: MigrationRun) -> None:
    """Have a run end now."""
    MigrationRun.objects.filter(pk=run.pk).update(state="running")
    MigrationRun.objects.filter(pk=run.pk).update(state="failed", finished_at=Now())


def reasons(backups: list[Backup]) -> list[str]:
    return [reason_to_stay(Backup.objects.get(pk=one.pk), days=0, count=2) for one in backups]


def test_the_newest_sound_ones_and_the_way_back_of_the_last_change_stay(made):
    backups = [made() for _ in range(4)]

    assert reasons(backups) == ["", "", "one of the newest 2 sound ones", ON_TOP]
    assert reason_to_stay(backups[0], days=14, count=2) == "not yet 14 days old"

    note_check(backups[2], CheckOutcome.DAMAGED, {}, actor=DISPATCHER)
    assert reasons(backups) == [
        "",
        "one of the newest 2 sound ones",
        "damaged: a person looks",
        ON_TOP,
    ]


def test_what_a_person_holds_stays_until_it_is_released(made, cast):
    old, _, _, _ = [made() for _ in range(4)]

    hold_backup(old, is_held=True, reason="Court order 7", actor=person(cast.lee))
    assert reasons([old]) == ["held by a person"]
    assert not expire(old, rule="too old", actor=DISPATCHER)
    hold_backup(old, is_held=False, reason="It was lifted", actor=person(cast.lee))
    assert reasons([old]) == [""]

    told = AuditEvent.objects.filter(action__in=["backup.held", "backup.released"]).order_by("seq")
    assert [(one.action, one.actor_name, one.reason) for one in told] == [
        ("backup.held", cast.lee.username, "Court order 7"),
        ("backup.released", cast.lee.username, "It was lifted"),
    ]
    with pytest.raises(NotAllowed):
        hold_backup(old, is_held=True, reason="I want it", actor=person(cast.dana))


def test_every_day_all_are_read_and_what_no_rule_keeps_is_removed_and_audited(made, store, cast):
    gone, damaged, kept, newest = [made() for _ in range(4)]
    (store.path(damaged.place) / "dump" / "toc.dat").write_text("1")

    tended = tend_backups()

    assert (tended.expired, tended.damaged) == ([gone], [damaged])
    assert [store.path(one.place).is_dir() for one in (gone, damaged, kept, newest)] == [False, True, True, True]
    assert BackupExpiry.objects.get().backup == gone
    assert AuditEvent.objects.filter(action="backup.expired").get().after["place"] == gone.place
    assert [one.word for one in backups_of(cast.rewards_prod, days=0, count=2)] == [
        "Readable",
        "Readable",
        "Damaged",
        "Removed",
    ]
    assert AuditEvent.objects.filter(action="backup.checked").count() == 1  # the damaged one: good news is no event

    again = tend_backups()
    assert (again.expired, len(again.readable), again.damaged) == ([], 2, [damaged])


def test_who_dies_between_the_word_and_the_deed_leaves_it_to_the_next(made, store):
    old, *_ = [made() for _ in range(4)]
    expire(old, rule="too old", actor=DISPATCHER)
    assert store.path(old.place).is_dir()

    tend_backups()

    assert not store.path(old.place).exists()


def test_a_store_that_is_not_there_makes_no_backup_damaged_and_removes_none(made, store):
    backups = [made() for _ in range(4)]
    away = store.root.rename(store.root.with_name("unmounted"))
    store.root.mkdir()

    tended = tend_backups()

    assert (tended.unreachable, tended.expired, tended.damaged) == (backups, [], [])
    assert not BackupExpiry.objects.exists()
    assert {check.outcome for check in BackupCheck.objects.all()} == {"unreachable"}
    store.root.rmdir()
    away.rename(store.root)
    assert len(tend_backups().readable) == 4


def test_a_backup_of_a_run_that_is_not_over_stays(made):
    running = made(is_over=False)

    assert reasons([running]) == ["its run is not over"]


def test_a_later_run_that_changed_nothing_or_only_went_back_closes_no_way_back(made, cast):
    backup = made()
    begin(cast.job())  # it fails at its preflight
    Job.objects.filter(state="running").update(state="failed")
    began(begin(cast.job(cast.run(kind="rollback", reverts=backup.job.run))))
    Job.objects.filter(state="running").update(state="failed")
    over(MigrationRun.objects.get(reverts=backup.job.run))

    assert reasons([backup]) == [ON_TOP]


@pytest.mark.parametrize("kind", ["rollback", "restore"])
def test_a_backup_whose_run_is_being_taken_back_is_not_removed_even_by_who_decided_before(made, cast, kind):
    old, *_ = [made() for _ in range(4)]
    assert reasons([old]) == [""]  # it would go, and then somebody presses

    cast.run(kind=kind, reverts=old.job.run)

    assert reasons([old]) == ["a way back from its run is open"]
    assert not expire(old, rule="too old", actor=DISPATCHER)
    assert not BackupExpiry.objects.exists()


def test_a_backup_is_not_removed_while_tables_of_it_are_wanted_or_a_run_works_on_its_database(made, cast):
    old, *_ = [made() for _ in range(4)]
    wish = request_tables(old, tables=["public.a"], reason="Deleted by hand", actor=person(cast.lee))
    assert reasons([old]) == ["tables of it are being restored"]

    TargetRequest.objects.filter(pk=wish.pk).update(answered_at=Now())
    assert reasons([old]) == [""]
    begin(cast.job())
    assert reasons([old]) == ["a run is at work on its database"]


def test_a_run_that_took_long_keeps_its_backup_for_a_day_after_its_end(made):
    old, *_ = [made() for _ in range(4)]

    over(old.job.run)

    assert reasons([old]) == ["its run ended less than a day ago"]


def test_only_a_dba_gets_tables_of_a_backup_with_a_reason_and_it_is_on_the_record(made, cast):
    backup = made()
    with pytest.raises(NotAllowed):
        request_tables(backup, tables=["public.a"], reason="Deleted", actor=person(cast.noor))
    with pytest.raises(ReasonMissing):
        request_tables(backup, tables=["public.a"], reason=" ", actor=person(cast.lee))
    with pytest.raises(TablesNotToBeHad, match=r"each as schema\.table"):
        request_tables(backup, tables=["a"], reason="Deleted", actor=person(cast.lee))
    assert not TargetRequest.objects.exists()

    wish = request_tables(backup, tables=["public.a"], reason="Deleted", actor=person(cast.lee))

    assert request_tables(backup, tables=["public.a"], reason="Deleted", actor=person(cast.lee)) == wish
    with pytest.raises(TablesNotToBeHad, match="Other tables were asked for"):
        request_tables(backup, tables=["public.b"], reason="Deleted", actor=person(cast.lee))
    (told,) = AuditEvent.objects.filter(action="backup.tables-requested")
    assert (told.actor_name, told.reason, told.after["tables"]) == (cast.lee.username, "Deleted", ["public.a"])
    with refused_by("targetrequest_asked_frozen"):
        TargetRequest.objects.filter(pk=wish.pk).update(asked={"tables": ["public.b"]})
    note_check(backup, CheckOutcome.DAMAGED, {}, actor=DISPATCHER)
    TargetRequest.objects.filter(pk=wish.pk).update(answered_at=Now())
    with pytest.raises(TablesNotToBeHad, match="damaged or different"):
        request_tables(backup, tables=["public.a"], reason="Deleted", actor=person(cast.lee))


def test_what_was_found_out_and_said_is_kept_as_it_was_written(made, cast):
    backup = made()
    note_check(backup, CheckOutcome.EQUAL, {}, actor=DISPATCHER)
    hold_backup(backup, is_held=True, reason="Court order 7", actor=person(cast.lee))
    BackupExpiry.objects.create(backup=backup, rule="too old")

    for model, rule in ((BackupCheck, "check"), (BackupHold, "hold"), (BackupExpiry, "expiry")):
        with not_permitted():
            model.objects.all().delete()
        with refused_by(f"backup{rule}_append_only", using="owner"):
            model.objects.using("owner").update(backup=backup)
    with refused_by("backupcheck_outcome_known"):
        BackupCheck.objects.create(backup=backup, outcome="verified")
    with refused_by("backuphold_reason_present"):
        BackupHold.objects.create(backup=backup, is_held=False, reason="", said_by=cast.lee)


def test_a_rehearsal_server_is_named_by_a_reference_only(cast):
    set_rehearsal_server(cast.production, connection="env:REHEARSAL", actor=person(cast.sam))

    with pytest.raises(NotAReference):
        set_rehearsal_server(cast.production, connection="postgresql://u:secret@h/d", actor=COMMAND_LINE)
    assert Environment.objects.get(pk=cast.production.pk).rehearsal_connection == "env:REHEARSAL"
    with pytest.raises(NotAllowed):
        set_rehearsal_server(cast.production, connection="", actor=person(cast.dana))
