"""The rules no CHECK can hold: legal moves, what is frozen, four eyes, the audit chain, and who may write what.

A trigger that refuses raises `check_violation` with a constraint name, so that Python translates it like a CHECK.
ENABLE ALWAYS: `session_replication_role = replica` does not switch it off (E28 of the reliability study).
"""

from django.db import migrations

from deployments.database_roles import ToApplication

APPEND_ONLY = (
    "approval auditevent migration observation policy release releasemigration runauthor script steplog".split()
)
KEPT = "job migrationrun step".split()  # rows change, but none ever goes

MOVES = {
    "migrationrun": (
        "awaiting>queued awaiting>superseded awaiting>rejected awaiting>cancelled queued>running queued>cancelled "
        "queued>superseded running>queued running>needs_attention running>succeeded running>failed running>cancelled "
        "running>superseded needs_attention>queued needs_attention>running needs_attention>failed"
    ),
    "job": (
        "queued>running queued>cancelled running>queued running>needs_attention running>succeeded running>failed "
        "running>cancelled needs_attention>queued needs_attention>failed"
    ),
    "step": "pending>running pending>skipped running>succeeded running>failed running>interrupted",
}
FIRST = {"migrationrun": "awaiting", "job": "queued", "step": "pending"}

FROZEN = {
    "migrationrun": (
        "number environment_id policy_id kind plan_text digest requested_by_id reason change_reference request_key "
        "reverts_id supersedes_id created_at"
    ),
    "job": "run_id database_id position writes created_at",
    "step": "job_id position attempt name",
}

FUNCTIONS = """
CREATE FUNCTION locktender_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: its rows are kept as they were written', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
END $$;

CREATE FUNCTION locktender_first_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT NEW.state = ANY (TG_ARGV) THEN
        RAISE EXCEPTION 'a row of % cannot begin in state %', TG_TABLE_NAME, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION locktender_legal_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT (OLD.state || '>' || NEW.state) = ANY (TG_ARGV) THEN
        RAISE EXCEPTION 'row % of % cannot move from % to %', OLD.id, TG_TABLE_NAME, OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION locktender_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed text;
BEGIN
    SELECT string_agg(name, ', ') INTO changed FROM unnest(TG_ARGV) AS name
        WHERE to_jsonb(OLD) -> name IS DISTINCT FROM to_jsonb(NEW) -> name;
    IF changed IS NOT NULL THEN
        RAISE EXCEPTION 'row % of % is frozen in: %', OLD.id, TG_TABLE_NAME, changed
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION locktender_fence_rises() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.fence IS NOT NULL AND (NEW.fence IS NULL OR NEW.fence < OLD.fence) THEN
        RAISE EXCEPTION 'the fence of job % cannot fall from % to %', OLD.id, OLD.fence, NEW.fence
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

-- Gapless, so that an auditor sees at once when a run is missing: one insert at a time, until it commits.
CREATE FUNCTION locktender_number_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('locktender run number'));
    SELECT coalesce(max(number), 0) + 1 INTO NEW.number FROM deployments_migrationrun;
    RETURN NEW;
END $$;

CREATE FUNCTION locktender_job_fits_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM deployments_migrationrun run JOIN deployments_database target USING (environment_id)
        WHERE run.id = NEW.run_id AND target.id = NEW.database_id
    ) THEN
        RAISE EXCEPTION 'database % is not in the environment of the run', NEW.database_id
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

-- Both functions lock the run, so that an approval and an author cannot pass each other.
CREATE FUNCTION locktender_approval_by_another() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM deployments_migrationrun WHERE id = NEW.run_id AND state = 'awaiting' FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'run % is not awaiting a decision', NEW.run_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'approval_while_awaiting', TABLE = TG_TABLE_NAME;
    END IF;
    IF EXISTS (SELECT FROM deployments_runauthor WHERE run_id = NEW.run_id AND user_id = NEW.approver_id) THEN
        RAISE EXCEPTION 'user % wrote part of run %', NEW.approver_id, NEW.run_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'approval_not_by_an_author', TABLE = TG_TABLE_NAME;
    END IF;
    IF NOT EXISTS (
        SELECT FROM deployments_grant held
        JOIN deployments_migrationrun run ON run.id = NEW.run_id
        JOIN deployments_environment place ON place.id = run.environment_id
        WHERE held.user_id = NEW.approver_id AND held.role = NEW.role
          AND (held.application_id IS NULL OR held.application_id = place.application_id)
          AND (held.environment_id IS NULL OR held.environment_id = place.id)
    ) THEN
        RAISE EXCEPTION 'user % does not hold the role % there', NEW.approver_id, NEW.role
            USING ERRCODE = 'check_violation', CONSTRAINT = 'approval_by_a_holder_of_the_role', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION locktender_author_before_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM deployments_migrationrun WHERE id = NEW.run_id AND state = 'awaiting' FOR UPDATE;
    IF NOT FOUND OR EXISTS (SELECT FROM deployments_approval WHERE run_id = NEW.run_id) THEN
        RAISE EXCEPTION 'the authors of run % are settled before its first approval', NEW.run_id
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END $$;

-- One text per event, whatever the session's settings are and whatever columns come later: the columns are named,
-- and UTC is fixed because jsonb writes instants in the session's time zone.
CREATE FUNCTION locktender_audit_hash(event deployments_auditevent) RETURNS text
    LANGUAGE sql STABLE SET timezone = 'UTC' SET search_path = public, pg_catalog AS $$
    SELECT encode(sha256(convert_to(jsonb_build_object(
        'seq', event.seq, 'at', event.at, 'previous_hash', event.previous_hash,
        'actor_kind', event.actor_kind, 'actor_id', event.actor_id, 'actor_name', event.actor_name,
        'action', event.action, 'object_type', event.object_type, 'object_id', event.object_id,
        'object_name', event.object_name, 'before', event.before, 'after', event.after, 'reason', event.reason,
        'request_id', event.request_id, 'address', event.address
    )::text, 'UTF8')), 'hex')
$$;

CREATE FUNCTION locktender_audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last deployments_auditevent;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('locktender audit chain'));
    SELECT * INTO last FROM deployments_auditevent ORDER BY seq DESC LIMIT 1;
    NEW.seq := coalesce(last.seq, 0) + 1;
    NEW.at := clock_timestamp();
    NEW.previous_hash := coalesce(last.hash, '');
    NEW.hash := '';
    NEW.hash := locktender_audit_hash(NEW);
    RETURN NEW;
END $$;
"""

BY_HAND = """
CREATE SEQUENCE deployments_fence;
INSERT INTO deployments_controlplane (id, singleton) VALUES (gen_random_uuid(), true);

ALTER TABLE deployments_script ADD CONSTRAINT script_addressed_by_content
    CHECK (sha256 = encode(sha256(body), 'hex'));
ALTER TABLE deployments_migrationrun ADD CONSTRAINT run_digest_of_its_plan
    CHECK (digest = encode(sha256(convert_to(plan_text, 'UTF8')), 'hex'));

ALTER TABLE deployments_approval ADD CONSTRAINT approval_of_this_request_and_content
    FOREIGN KEY (run_id, requester_id, digest) REFERENCES deployments_migrationrun (id, requested_by_id, digest);
ALTER TABLE deployments_migrationrun ADD CONSTRAINT run_policy_of_its_environment
    FOREIGN KEY (policy_id, environment_id) REFERENCES deployments_policy (id, environment_id);
ALTER TABLE deployments_migrationrun ADD CONSTRAINT run_reverts_in_its_environment
    FOREIGN KEY (reverts_id, environment_id) REFERENCES deployments_migrationrun (id, environment_id);
ALTER TABLE deployments_migrationrun ADD CONSTRAINT run_supersedes_in_its_environment
    FOREIGN KEY (supersedes_id, environment_id) REFERENCES deployments_migrationrun (id, environment_id);
ALTER TABLE deployments_grant ADD CONSTRAINT grant_environment_of_its_application
    FOREIGN KEY (environment_id, application_id) REFERENCES deployments_environment (id, application_id);
ALTER TABLE deployments_contact ADD CONSTRAINT contact_environment_of_its_application
    FOREIGN KEY (environment_id, application_id) REFERENCES deployments_environment (id, application_id);
"""


def trigger(name: str, table: str, event: str, function: str, *, when: str = "", arguments: str = "") -> str:
    """Return the SQL of a trigger that no session setting switches off. `arguments` are separated by blanks."""
    level = "STATEMENT" if function == "locktender_refuse" else "ROW"
    quoted = ", ".join(f"'{argument}'" for argument in arguments.split())
    return (
        f"CREATE TRIGGER {name} BEFORE {event} ON deployments_{table} FOR EACH {level} {when} "
        f"EXECUTE FUNCTION {function}({quoted});\n"
        f"ALTER TABLE deployments_{table} ENABLE ALWAYS TRIGGER {name};\n"
    )


TRIGGERS = "".join(
    [
        *(trigger(f"{t}_append_only", t, "UPDATE OR DELETE OR TRUNCATE", "locktender_refuse") for t in APPEND_ONLY),
        *(trigger(f"{t}_kept", t, "DELETE OR TRUNCATE", "locktender_refuse") for t in KEPT),
        *(trigger(f"{t}_begins", t, "INSERT", "locktender_first_state", arguments=FIRST[t]) for t in FIRST),
        *(
            trigger(
                f"{t}_moves_legally",
                t,
                "UPDATE",
                "locktender_legal_move",
                when="WHEN (OLD.state IS DISTINCT FROM NEW.state)",
                arguments=MOVES[t],
            )
            for t in MOVES
        ),
        *(trigger(f"{t}_frozen", t, "UPDATE", "locktender_frozen", arguments=FROZEN[t]) for t in FROZEN),
        trigger("job_fence_rises", "job", "UPDATE", "locktender_fence_rises"),
        trigger("job_fits_run", "job", "INSERT", "locktender_job_fits_run"),
        trigger("run_numbered", "migrationrun", "INSERT", "locktender_number_run"),
        trigger("approval_by_another", "approval", "INSERT", "locktender_approval_by_another"),
        trigger("author_before_approval", "runauthor", "INSERT", "locktender_author_before_approval"),
        trigger("audit_chain", "auditevent", "INSERT", "locktender_audit_chain"),
    ]
)


class Migration(migrations.Migration):
    """Everything the database refuses by itself."""

    dependencies = [("deployments", "0001_initial")]

    operations = [
        migrations.RunSQL(FUNCTIONS, elidable=False),
        migrations.RunSQL(BY_HAND),
        migrations.RunSQL(TRIGGERS),
        ToApplication(
            "GRANT USAGE ON SCHEMA public TO {role}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {role}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
            "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
            *(f"REVOKE UPDATE, DELETE ON deployments_{table} FROM {{role}}" for table in APPEND_ONLY),
            *(f"REVOKE DELETE ON deployments_{table} FROM {{role}}" for table in KEPT),
            "REVOKE INSERT, UPDATE, DELETE ON deployments_controlplane FROM {role}",
            "REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role}",
        ),
    ]
