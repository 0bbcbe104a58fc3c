"""What was written stays as it was written: the audit log above all."""

import threading

import psycopg
import pytest
from django.db import connection, connections, transaction

from deployments.actors import COMMAND_LINE, person
from deployments.models import AuditEvent, ControlPlane, Grant, Observation, Policy, Script
from deployments.selectors.audit import check_chain, events_about
from deployments.services.audit import NotInTransaction, record
from tests.deployments.cast import Cast, script
from tests.deployments.refusals import not_permitted, refused_by


def event(cast: Cast, action: str = "run.requested", **fields) -> AuditEvent:
    with transaction.atomic():
        return record(person(cast.dana), action, cast.rewards, **fields)


def test_an_event_tells_who_did_what_to_what_and_why(cast: Cast):
    with transaction.atomic():
        actor = person(cast.dana, request_id="01KAGZ7Q4M", address="192.0.2.7")
        record(actor, "run.requested", cast.rewards, before=None, after={"state": "awaiting"}, reason="REW-812")

    told = events_about(cast.rewards).get()
    assert (told.seq, told.actor, told.actor_kind, told.actor_name) == (1, cast.dana, "person", "dana")
    assert (told.action, told.object_type, told.object_name) == ("run.requested", "application", "Rewards")
    assert (told.after, told.reason) == ({"state": "awaiting"}, "REW-812")
    assert (told.request_id, told.address) == ("01KAGZ7Q4M", "192.0.2.7")


def test_events_stand_in_a_chain_without_gaps(cast: Cast):
    first, second = event(cast), event(cast)

    assert (first.seq, second.seq) == (1, 2)
    assert second.previous_hash == first.hash
    assert check_chain().is_whole
    assert check_chain().events == 2


def test_an_event_outside_of_a_transaction_is_refused(cast: Cast):
    with pytest.raises(NotInTransaction, match=r"run\.requested"):
        record(COMMAND_LINE, "run.requested", cast.rewards)
    assert not AuditEvent.objects.exists()


def test_an_event_that_was_undone_leaves_no_gap(cast: Cast):
    event(cast)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        record(person(cast.dana), "run.requested", cast.rewards)
        raise ZeroDivisionError
    event(cast)

    assert list(AuditEvent.objects.values_list("seq", flat=True)) == [1, 2]


def test_a_writer_cannot_choose_place_time_or_hash(cast: Cast):
    forged = AuditEvent.objects.create(
        seq=99, at="2001-01-01T00:00Z", hash="f" * 64, previous_hash="e" * 64,
        actor_kind="system", actor_name="x", action="a", object_type="t", object_id="1", object_name="n",
    )  # fmt: skip

    assert (forged.seq, forged.previous_hash) == (1, "")
    assert forged.at.year > 2001
    assert check_chain().is_whole


def test_a_person_is_named_and_the_system_is_nobody(cast: Cast):
    with refused_by("audit_person_is_named"):
        AuditEvent.objects.create(
            actor_kind="person", actor_name="x", action="a", object_type="t", object_id="1", object_name="n"
        )


def test_the_application_cannot_change_the_log(cast: Cast):
    written = event(cast)

    with not_permitted():
        AuditEvent.objects.filter(pk=written.pk).update(reason="never said")
    with not_permitted():
        AuditEvent.objects.filter(pk=written.pk)._raw_delete("default")
    with not_permitted():
        connection.cursor().execute("TRUNCATE deployments_auditevent")
    with not_permitted():
        connection.cursor().execute("ALTER TABLE deployments_auditevent DISABLE TRIGGER ALL")
    with not_permitted():
        connection.cursor().execute("SET session_replication_role = replica")
    assert check_chain().is_whole


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE deployments_auditevent SET reason = 'x'",
        "DELETE FROM deployments_auditevent",
        "TRUNCATE deployments_auditevent",
    ],
)
def test_the_owner_is_refused_too(cast: Cast, statement):
    event(cast)

    with refused_by("auditevent_append_only", using="owner"):
        connections["owner"].cursor().execute(statement)
    assert AuditEvent.objects.count() == 1


@pytest.mark.parametrize(
    "statement", ["UPDATE deployments_auditevent SET reason = 'x'", "TRUNCATE deployments_auditevent"]
)
def test_even_a_superuser_in_replica_mode_is_refused(cast: Cast, superuser_here, statement):
    event(cast)
    superuser_here.execute("SET session_replication_role = replica")

    with pytest.raises(psycopg.errors.CheckViolation, match="kept as they were written"):
        superuser_here.execute(statement)


def test_an_edit_behind_a_disabled_trigger_is_found(cast: Cast, superuser_here):
    for _ in range(3):
        event(cast)
    superuser_here.execute("ALTER TABLE deployments_auditevent DISABLE TRIGGER ALL")
    superuser_here.execute("UPDATE deployments_auditevent SET reason = 'never said' WHERE seq = 2")

    assert check_chain().broken_at == 2


def test_an_event_taken_out_behind_a_disabled_trigger_is_found(cast: Cast, superuser_here):
    for _ in range(3):
        event(cast)
    superuser_here.execute("ALTER TABLE deployments_auditevent DISABLE TRIGGER ALL")
    superuser_here.execute("DELETE FROM deployments_auditevent WHERE seq = 1")

    assert check_chain().broken_at == 2


def test_the_chain_does_not_depend_on_the_time_zone_of_a_session(cast: Cast):
    event(cast)
    connection.cursor().execute("SET timezone = 'Asia/Kolkata'")

    assert check_chain().is_whole


def test_writers_at_once_make_one_chain(cast: Cast):
    def write() -> None:
        for _ in range(20):
            event(cast)
        connection.close()

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert check_chain() == type(check_chain())(events=80, broken_at=None)


def test_a_script_is_its_content(cast: Cast):
    stored = script("SELECT 1")

    with refused_by("script_addressed_by_content"):
        Script.objects.create(sha256="0" * 64, body=b"SELECT 2")
    with not_permitted():
        Script.objects.filter(pk=stored.pk).update(body=b"DROP TABLE ledger")
    with refused_by("script_append_only", using="owner"):
        Script.objects.using("owner").filter(pk=stored.pk).update(body=b"DROP TABLE ledger")


@pytest.mark.parametrize(
    ("model", "change"), [(Policy, {"reason": "Looser"}), (Observation, {"fingerprint": "0" * 64})]
)
def test_policies_and_observations_are_append_only(cast: Cast, model, change):
    with not_permitted():
        model.objects.update(**change)
    with refused_by(f"{model._meta.model_name}_append_only", using="owner"):
        model.objects.using("owner").update(**change)


def test_a_policy_has_a_reason_and_each_version_once(cast: Cast):
    with refused_by("policy_reason_present"):
        Policy.objects.create(environment=cast.production, version=2, rules={}, reason="")
    with refused_by("policy_version_once"):
        Policy.objects.create(environment=cast.production, version=1, rules={}, reason="Again")


def test_a_grant_names_the_application_of_its_environment(cast: Cast):
    with refused_by("grant_environment_names_its_application"):
        Grant.objects.create(user=cast.charlie, role="dba", environment=cast.production)
    with refused_by("grant_role_known"):
        Grant.objects.create(user=cast.charlie, role="root")
    with refused_by("grant_once"):
        Grant.objects.create(user=cast.lee, role="dba")


def test_this_control_plane_has_one_identity(cast: Cast):
    assert ControlPlane.objects.count() == 1
    with not_permitted():
        ControlPlane.objects.create(id="00000000-0000-0000-0000-000000000001")
    with refused_by("deployments_controlplane_singleton_key", using="owner"):
        ControlPlane.objects.using("owner").create(id="00000000-0000-0000-0000-000000000001")


def test_the_application_role_owns_nothing(cast: Cast):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)"
        )
        assert cursor.fetchone() == (0,)
        cursor.execute(
            "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
        )
        assert cursor.fetchone() == (False,)
