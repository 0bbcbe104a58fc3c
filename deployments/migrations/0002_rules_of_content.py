"""What constraints hold that Django cannot declare: addresses by content, and rows that belong together."""

from django.db import migrations

from deployments.triggers import function

# Every refusal looks like that of a CHECK, so that Python translates it by its name.
REFUSAL = """
CREATE FUNCTION locktender_raise(rule text, relation text, message text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', message USING ERRCODE = 'check_violation', CONSTRAINT = rule, TABLE = relation;
END $$;
"""

# Never changed: (columns …) come as arguments.
FROZEN = function(
    "locktender_frozen",
    """
    SELECT string_agg(name, ', ') INTO changed FROM unnest(TG_ARGV) AS name
        WHERE to_jsonb(OLD) -> name IS DISTINCT FROM to_jsonb(NEW) -> name;
    IF changed IS NOT NULL THEN
        PERFORM locktender_raise(TG_NAME, TG_TABLE_NAME,
            format('row %s of %s is frozen in: %s', OLD.id, TG_TABLE_NAME, changed));
    END IF;
    RETURN NEW;
""",
    declare="    changed text;",
)

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


class Migration(migrations.Migration):
    """Content is what its address says, and nothing points into another environment."""

    dependencies = [("deployments", "0001_initial")]

    operations = [migrations.RunSQL(REFUSAL), migrations.RunSQL(FROZEN), migrations.RunSQL(BY_HAND)]
