"""What was written stays as it was written, with the time the database had: append-only tables and the audit chain."""

from django.db import migrations

from deployments.triggers import function, trigger

APPEND_ONLY = (
    "approval auditevent migration observation policy release releasemigration runauthor script steplog".split()
)
KEPT = "job migrationrun step".split()  # rows change, but none ever goes
DATED = dict.fromkeys("approval job migration migrationrun policy release script".split(), "created_at") | {
    "observation": "observed_at",
    "steplog": "at",
}

KEEPING = function(
    "locktender_refuse",
    """
    PERFORM locktender_raise(TG_NAME, TG_TABLE_NAME,
        format('%s on %s is refused: its rows are kept as they were written', TG_OP, TG_TABLE_NAME));
    RETURN NULL;
""",
) + function(
    "locktender_dated",
    """
    NEW := jsonb_populate_record(NEW, jsonb_build_object(TG_ARGV[0], clock_timestamp()));
    RETURN NEW;
""",
)

# One text per event, whatever the session's settings are and whatever columns come later: the columns are named,
# and UTC is fixed because jsonb writes instants in the session's time zone.
CHAIN = """
CREATE FUNCTION locktender_audit_hash(event deployments_auditevent) RETURNS text
    LANGUAGE sql STABLE SET timezone = 'UTC' SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT encode(sha256(convert_to(jsonb_build_object(
        'seq', event.seq, 'at', event.at, 'previous_hash', event.previous_hash,
        'actor_kind', event.actor_kind, 'actor_id', event.actor_id, 'actor_name', event.actor_name,
        'action', event.action, 'object_type', event.object_type, 'object_id', event.object_id,
        'object_name', event.object_name, 'before', event.before, 'after', event.after, 'reason', event.reason,
        'request_id', event.request_id, 'address', event.address
    )::text, 'UTF8')), 'hex')
$$;
""" + function(
    "locktender_audit_chain",
    """
    PERFORM pg_advisory_xact_lock(hashtext('locktender audit chain'));
    SELECT * INTO last FROM deployments_auditevent ORDER BY seq DESC LIMIT 1;
    IF NEW.actor_id IS NOT NULL THEN
        SELECT username INTO NEW.actor_name FROM deployments_user WHERE id = NEW.actor_id;
    END IF;
    NEW.seq := coalesce(last.seq, 0) + 1;
    NEW.at := clock_timestamp();
    NEW.previous_hash := coalesce(last.hash, '');
    NEW.hash := '';
    NEW.hash := locktender_audit_hash(NEW);
    RETURN NEW;
""",
    declare="    last deployments_auditevent;",
)

TRIGGERS = "".join(
    [
        *(trigger(f"{t}_append_only", t, "UPDATE OR DELETE OR TRUNCATE", "locktender_refuse") for t in APPEND_ONLY),
        *(trigger(f"{t}_kept", t, "DELETE OR TRUNCATE", "locktender_refuse") for t in KEPT),
        *(trigger(f"{t}_dated", t, "INSERT", "locktender_dated", arguments=DATED[t]) for t in DATED),
        trigger("audit_chain", "auditevent", "INSERT", "locktender_audit_chain"),
    ]
)


class Migration(migrations.Migration):
    """Records that nobody changes, and a log that shows when somebody did."""

    dependencies = [("deployments", "0004_four_eyes")]

    operations = [migrations.RunSQL(KEEPING + CHAIN), migrations.RunSQL(TRIGGERS)]
