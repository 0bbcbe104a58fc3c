"""What a source holds now is what is planned, also when it holds again what it held before."""

from deployments.models import AuditEvent, Release


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
