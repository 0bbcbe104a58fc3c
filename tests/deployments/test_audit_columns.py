"""Every column of an audit event is covered by its hash, and says what it says truly."""

import pytest
from django.db import transaction

from deployments.actors import person
from deployments.models import AuditEvent
from deployments.selectors.audit import check_chain
from deployments.services.audit import record
from tests.deployments.cast import Cast
from tests.deployments.refusals import refused_by

# What the database compares itself is broken too: the place, and the hashes.
CHANGES = {
    "at": "at - interval '1 microsecond'",
    "actor_kind": "'system'",
    "actor_id": "(SELECT id FROM deployments_user WHERE username = 'lee')",
    "actor_name": "'lee'",
    "action": "'run.approved'",
    "object_type": "'job'",
    "object_id": "'999'",
    "object_name": "'Other'",
    "before": "'1'",
    "after": "NULL",
    "reason": "'never said'",
    "request_id": "'other'",
    "address": "'198.51.100.1'",
    "seq": "999",
    "previous_hash": "repeat('0', 64)",
    "hash": "repeat('0', 64)",
}


def event(cast: Cast, **fields) -> AuditEvent:
    with transaction.atomic():
        actor = person(cast.dana, request_id="01KAGZ7Q4M", address="192.0.2.7")
        return record(actor, "run.requested", cast.rewards, after={"state": "awaiting"}, **fields)


def test_every_column_is_tried():
    assert CHANGES.keys() == {field.column for field in AuditEvent._meta.concrete_fields}


@pytest.mark.parametrize("column", CHANGES)
def test_a_change_of_any_column_behind_a_disabled_trigger_is_found(cast: Cast, superuser_here, column):
    event(cast)
    last = event(cast)
    superuser_here.execute("ALTER TABLE deployments_auditevent DISABLE TRIGGER ALL")
    superuser_here.execute("ALTER TABLE deployments_auditevent DROP CONSTRAINT audit_person_is_named")
    superuser_here.execute(f"UPDATE deployments_auditevent SET {column} = {CHANGES[column]} WHERE seq = %s", [last.seq])

    assert check_chain().broken_at == (999 if column == "seq" else last.seq)


def test_a_person_is_written_under_their_own_name(cast: Cast):
    written = AuditEvent.objects.create(
        actor_kind="person", actor=cast.dana, actor_name="lee", action="a", object_type="t", object_id="1",
        object_name="n",
    )  # fmt: skip

    written.refresh_from_db()
    assert written.actor_name == "dana"
    assert check_chain().is_whole


@pytest.mark.parametrize(
    ("missing", "constraint"), [("actor_name", "audit_actor_name_present"), ("action", "audit_action_present")]
)
def test_an_event_says_who_and_what(cast: Cast, missing, constraint):
    fields = {"actor_name": "dispatcher", "action": "job.moved"} | {missing: ""}

    with refused_by(constraint):
        AuditEvent.objects.create(actor_kind="system", object_type="t", object_id="1", object_name="n", **fields)
