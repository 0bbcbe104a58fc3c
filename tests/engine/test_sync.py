"""What a source holds now is what is planned, also when it holds again what it held before."""

import hashlib
import threading
import time

from django.db import connection, transaction

from deployments.models import AuditEvent, Release, Script

WAITING = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def is_somebody_waiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees the same over and over
        cursor.execute(WAITING)
        return cursor.fetchone() is not None


def test_a_migration_that_was_taken_back_in_the_source_is_not_deployed(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    first = rewards.sync()
    rewards.write("002_regret", "ALTER TABLE ledger ADD regret int")
    rewards.sync()
    for file in rewards.source.glob("002_regret.*"):
        file.unlink()

    again = rewards.sync()

    assert (again.new, again.changed, again.gone) == ((), (), ("002_regret",))
    assert (again.release.digest, again.release.pk > first.release.pk) == (first.release.digest, True)
    assert [entry["name"] for entry in rewards.plan().plan["migrations"]] == ["001_ledger"]
    told = AuditEvent.objects.filter(action="release.synced").order_by("-seq").first()
    assert told.after["gone"] == ["002_regret"]


def test_a_file_that_could_not_be_read_holds_nothing_up_once_it_is_gone(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()
    rewards.write("002_broken", "ALTER TABEL ledger")
    rewards.sync()
    (rewards.source / "002_broken.up.sql").unlink()
    (rewards.source / "002_broken.down.sql").unlink()
    rewards.sync()

    assert [entry["name"] for entry in rewards.plan().plan["migrations"]] == ["001_ledger"]


def test_the_same_content_twice_in_a_row_is_one_release(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")

    assert rewards.sync().release == rewards.sync().release
    assert Release.objects.count() == 1
    assert AuditEvent.objects.filter(action="release.synced").count() == 1


def test_syncs_that_have_scripts_in_common_never_deadlock(rewards):
    def digest(body: bytes) -> str:
        return hashlib.sha256(body).hexdigest()

    first, second = sorted([b"CREATE TABLE ledger (id int)", b"CREATE TABLE partner (id int)"], key=digest)
    rewards.write("001_later_in_the_order_of_content", second.decode())
    rewards.write("002_earlier", first.decode())
    told = []

    def sync_too() -> None:
        told.append(rewards.sync().new)
        connection.close()

    other = threading.Thread(target=sync_too)
    with transaction.atomic():  # another sync, which has stored the first of them
        Script.objects.create(sha256=digest(first), body=first)
        other.start()
        until = time.monotonic() + 30
        while not is_somebody_waiting():
            assert time.monotonic() < until, "the sync waits for nothing"
            time.sleep(0.02)
        Script.objects.create(sha256=digest(second), body=second)
    other.join()

    assert told == [("001_later_in_the_order_of_content", "002_earlier")]
