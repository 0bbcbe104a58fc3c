"""Nobody approves what they requested or wrote, nor without the role, and no isolation level opens a way past.

Both functions lock the run, so that an approval and an author cannot pass each other. A lock alone is not enough: under
REPEATABLE READ the rows that are looked for are read as they were when the transaction began. So that is refused.
"""

from django.db import migrations

from deployments.triggers import function, trigger

READ_COMMITTED = """
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        PERFORM locktender_raise('four_eyes_read_committed', TG_TABLE_NAME,
            'four eyes are judged on what is committed now: use READ COMMITTED');
    END IF;
"""

FUNCTIONS = function(
    "locktender_approval_by_another",
    READ_COMMITTED
    + """
    SELECT * INTO run FROM deployments_migrationrun WHERE id = NEW.run_id AND state = 'awaiting' FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM locktender_raise('approval_while_awaiting', TG_TABLE_NAME,
            format('run %s is not awaiting a decision', NEW.run_id));
    END IF;
    -- The foreign key says so too, but a session in replica mode silences foreign keys.
    IF (run.requested_by_id, run.digest) IS DISTINCT FROM (NEW.requester_id, NEW.digest) THEN
        PERFORM locktender_raise('approval_of_this_request_and_content', TG_TABLE_NAME,
            format('run %s was requested by another, or has another content', NEW.run_id));
    END IF;
    IF EXISTS (SELECT FROM deployments_runauthor WHERE run_id = NEW.run_id AND user_id = NEW.approver_id) THEN
        PERFORM locktender_raise('approval_not_by_an_author', TG_TABLE_NAME,
            format('user %s wrote part of run %s', NEW.approver_id, NEW.run_id));
    END IF;
    -- Person and grant are locked: a revocation waits, or this approval sees it.
    PERFORM FROM deployments_user WHERE id = NEW.approver_id AND is_active FOR SHARE;
    IF NOT FOUND THEN
        PERFORM locktender_raise('approval_by_an_open_account', TG_TABLE_NAME,
            format('the account of user %s is closed', NEW.approver_id));
    END IF;
    PERFORM FROM deployments_grant held JOIN deployments_environment place ON place.id = run.environment_id
        WHERE held.user_id = NEW.approver_id AND held.role = NEW.role
          AND (held.application_id IS NULL OR held.application_id = place.application_id)
          AND (held.environment_id IS NULL OR held.environment_id = place.id)
        FOR SHARE OF held;
    IF NOT FOUND THEN
        PERFORM locktender_raise('approval_by_a_holder_of_the_role', TG_TABLE_NAME,
            format('user %s does not hold the role %s there', NEW.approver_id, NEW.role));
    END IF;
    RETURN NEW;
""",
    declare="    run deployments_migrationrun;",
) + function(
    "locktender_author_before_approval",
    READ_COMMITTED
    + """
    PERFORM FROM deployments_migrationrun WHERE id = NEW.run_id AND state = 'awaiting' FOR NO KEY UPDATE;
    IF NOT FOUND OR EXISTS (SELECT FROM deployments_approval WHERE run_id = NEW.run_id) THEN
        PERFORM locktender_raise(TG_NAME, TG_TABLE_NAME,
            format('the authors of run %s are settled before its first approval', NEW.run_id));
    END IF;
    RETURN NEW;
""",
)

TRIGGERS = trigger("approval_by_another", "approval", "INSERT", "locktender_approval_by_another") + trigger(
    "author_before_approval", "runauthor", "INSERT", "locktender_author_before_approval"
)


class Migration(migrations.Migration):
    """Four eyes, for everybody and at every isolation level."""

    dependencies = [("deployments", "0003_rules_of_state")]

    operations = [migrations.RunSQL(FUNCTIONS), migrations.RunSQL(TRIGGERS)]
