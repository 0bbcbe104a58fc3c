"""Where a state begins, how it may move, what holds between a run, its jobs and their steps, and whose clock is right.

The functions that look at more than their own row lock the run first. So do the services: one order, no deadlock.
"""

from django.db import migrations

from deployments.triggers import STATE_CHANGES, function, trigger

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
    "step": "pending>running running>succeeded running>failed running>interrupted running>skipped",
}
FIRST = {"migrationrun": "awaiting", "job": "queued", "step": "pending"}
FINAL = {
    "migrationrun": "succeeded failed cancelled rejected superseded",
    "job": "succeeded failed cancelled",
    "step": "succeeded failed interrupted skipped",
}
FROZEN = {
    "migrationrun": (
        "id number environment_id policy_id kind plan_text digest judgement requested_by_id reason change_reference "
        "request_key reverts_id supersedes_id created_at"
    ),
    "job": "id run_id database_id position writes created_at",
    "step": "id job_id position attempt name",
    "environment": "id application_id created_at",
    "database": "id environment_id created_at",
}

MOVING = (
    function(
        "locktender_first_state",
        """
    IF NOT NEW.state = ANY (TG_ARGV) THEN
        PERFORM locktender_raise(TG_NAME, TG_TABLE_NAME,
            format('a row of %s cannot begin in state %s', TG_TABLE_NAME, NEW.state));
    END IF;
    RETURN NEW;
""",
    )
    + function(
        "locktender_legal_move",
        """
    IF NOT (OLD.state || '>' || NEW.state) = ANY (TG_ARGV) THEN
        PERFORM locktender_raise(TG_NAME, TG_TABLE_NAME,
            format('row %s of %s cannot move from %s to %s', OLD.id, TG_TABLE_NAME, OLD.state, NEW.state));
    END IF;
    RETURN NEW;
""",
    )
    # Arguments: columns that may still change.
    + function(
        "locktender_stays_as_it_ended",
        """
    IF to_jsonb(OLD) - coalesce(TG_ARGV, '{}') IS DISTINCT FROM to_jsonb(NEW) - coalesce(TG_ARGV, '{}') THEN
        PERFORM locktender_raise(TG_NAME, TG_TABLE_NAME,
            format('row %s of %s is over: it is kept as it ended', OLD.id, TG_TABLE_NAME));
    END IF;
    RETURN NEW;
""",
    )
)

# Time is the database's: set with the move that it tells, and refused otherwise.
TIMES = (
    function(
        "locktender_finished_at",
        """
    IF OLD.state IS DISTINCT FROM NEW.state THEN
        NEW.finished_at := CASE WHEN NEW.state = ANY (TG_ARGV) THEN clock_timestamp() END;
    ELSIF OLD.finished_at IS DISTINCT FROM NEW.finished_at THEN
        PERFORM locktender_raise(TG_NAME, TG_TABLE_NAME, 'finished_at is set by the move into a final state');
    END IF;
    RETURN NEW;
""",
    )
    + function(
        "locktender_started_at",
        """
    IF TG_OP = 'INSERT' THEN
        NEW.started_at := NULL;
    ELSIF OLD.state IS DISTINCT FROM NEW.state AND NEW.state = 'running' THEN
        NEW.started_at := coalesce(OLD.started_at, clock_timestamp());
    ELSIF OLD.started_at IS DISTINCT FROM NEW.started_at THEN
        PERFORM locktender_raise(TG_NAME, TG_TABLE_NAME, 'started_at is set by the first move into running');
    END IF;
    RETURN NEW;
""",
    )
    + function(
        "locktender_cancel_request",
        """
    IF TG_OP = 'INSERT' OR OLD.cancel_requested_at IS NULL THEN
        NEW.cancel_requested_at := CASE WHEN NEW.cancel_requested_at IS NOT NULL THEN clock_timestamp() END;
    ELSIF (OLD.cancel_requested_at, OLD.cancel_requested_by_id)
          IS DISTINCT FROM (NEW.cancel_requested_at, NEW.cancel_requested_by_id) THEN
        PERFORM locktender_raise(TG_NAME, TG_TABLE_NAME, format('run %s was asked to stop: that stays', OLD.number));
    END IF;
    RETURN NEW;
""",
    )
)

RUNS = (
    # Gapless, so that an auditor sees at once when a run is missing: one insert at a time, until it commits.
    function(
        "locktender_number_run",
        """
    PERFORM pg_advisory_xact_lock(hashtext('locktender run number'));
    SELECT coalesce(max(number), 0) + 1 INTO NEW.number FROM deployments_migrationrun;
    NEW.revision := 1;
    RETURN NEW;
""",
    )
    # Counted here, whatever the writer says: a page compares it to know that it is stale.
    + function("locktender_count_revision", "    NEW.revision := OLD.revision + 1;\n    RETURN NEW;")
    + function(
        "locktender_run_ends_last",
        """
    IF NEW.state = ANY (TG_ARGV)
       AND EXISTS (SELECT FROM deployments_job WHERE run_id = NEW.id AND finished_at IS NULL) THEN
        PERFORM locktender_raise(TG_NAME, TG_TABLE_NAME, format('run %s has a job that is not over', NEW.number));
    END IF;
    RETURN NEW;
""",
    )
)

JOBS = (
    # The database is locked too, so that it cannot be changed while a job for it is being added.
    function(
        "locktender_job_fits_run",
        """
    SELECT * INTO run FROM deployments_migrationrun WHERE id = NEW.run_id FOR NO KEY UPDATE;
    IF run.state IS DISTINCT FROM 'queued' THEN
        PERFORM locktender_raise('job_of_a_queued_run', TG_TABLE_NAME,
            format('run %s is %s: jobs are added while it is queued', run.number, run.state));
    END IF;
    IF NEW.writes IS DISTINCT FROM (run.kind <> 'rehearsal') THEN
        PERFORM locktender_raise('job_writes_unless_rehearsed', TG_TABLE_NAME,
            format('a job of a %s run has to say so: writes cannot be %s', run.kind, NEW.writes));
    END IF;
    PERFORM FROM deployments_database
        WHERE id = NEW.database_id AND environment_id = run.environment_id FOR SHARE;
    IF NOT FOUND THEN
        PERFORM locktender_raise(TG_NAME, TG_TABLE_NAME,
            format('database %s is not in the environment of the run', NEW.database_id));
    END IF;
    RETURN NEW;
""",
        declare="    run deployments_migrationrun;",
    )
    # Arguments: the final states.
    + function(
        "locktender_job_moves_within_run",
        """
    SELECT state INTO state_of_run FROM deployments_migrationrun WHERE id = NEW.run_id FOR NO KEY UPDATE;
    IF NEW.state = 'running' AND state_of_run NOT IN ('queued', 'running') THEN
        PERFORM locktender_raise('job_runs_in_a_started_run', TG_TABLE_NAME,
            format('job %s cannot run: its run is %s', NEW.id, state_of_run));
    END IF;
    IF NEW.state = ANY (TG_ARGV)
       AND EXISTS (SELECT FROM deployments_step WHERE job_id = NEW.id AND state = 'running') THEN
        PERFORM locktender_raise('job_ends_after_its_steps', TG_TABLE_NAME,
            format('job %s has a step that is running', NEW.id));
    END IF;
    RETURN NEW;
""",
        declare="    state_of_run text;",
    )
    # A claim is a new fence. Whoever writes under an older one has lost the job.
    + function(
        "locktender_fence_rises",
        """
    IF (OLD.executor, OLD.claims) IS DISTINCT FROM (NEW.executor, NEW.claims)
       OR (OLD.state <> 'running' AND NEW.state = 'running') THEN
        risen := NEW.fence IS NOT NULL AND NEW.fence > coalesce(OLD.fence, 0);
    ELSE
        risen := OLD.fence IS NULL OR coalesce(NEW.fence >= OLD.fence, false);
    END IF;
    IF NOT risen THEN
        PERFORM locktender_raise(TG_NAME, TG_TABLE_NAME,
            format('the fence of job %s was %s and cannot be %s now', OLD.id, OLD.fence, NEW.fence));
    END IF;
    RETURN NEW;
""",
        declare="    risen boolean;",
    )
    + function(
        "locktender_database_in_use",
        """
    IF (OLD.connection, OLD.owner_role) IS NOT DISTINCT FROM (NEW.connection, NEW.owner_role)
       AND (OLD.system_identifier = '' OR (OLD.system_identifier, OLD.database_name)
            IS NOT DISTINCT FROM (NEW.system_identifier, NEW.database_name)) THEN
        RETURN NEW;
    END IF;
    IF EXISTS (SELECT FROM deployments_job WHERE database_id = NEW.id AND finished_at IS NULL) THEN
        PERFORM locktender_raise(TG_NAME, TG_TABLE_NAME, format('a job for database %s is not over', NEW.name));
    END IF;
    RETURN NEW;
""",
    )
)

STEPS = function(
    "locktender_step_moves_within_job",
    """
    SELECT job.state INTO state_of_job FROM deployments_job job
        JOIN deployments_migrationrun run ON run.id = job.run_id
        WHERE job.id = NEW.job_id FOR NO KEY UPDATE OF run;
    SELECT state INTO state_of_job FROM deployments_job WHERE id = NEW.job_id;  -- as it is once the run is ours
    IF TG_OP = 'INSERT' AND state_of_job = ANY (TG_ARGV) THEN
        PERFORM locktender_raise('step_of_an_open_job', TG_TABLE_NAME, format('job %s is over', NEW.job_id));
    END IF;
    IF NEW.state = 'running' AND state_of_job IS DISTINCT FROM 'running' THEN
        PERFORM locktender_raise('step_runs_in_a_running_job', TG_TABLE_NAME,
            format('step %s cannot run: its job is %s', NEW.id, state_of_job));
    END IF;
    RETURN NEW;
""",
    declare="    state_of_job text;",
)


def triggers() -> str:
    """Return the SQL of every trigger. Those of one event fire in the order of their names."""
    parts = [trigger(f"{t}_frozen", t, "UPDATE", "locktender_frozen", arguments=FROZEN[t]) for t in FROZEN]
    for t, moves in MOVES.items():
        changes = {"when": STATE_CHANGES}
        may_change = "revision" if t == "migrationrun" else ""
        parts += [
            trigger(f"{t}_begins", t, "INSERT", "locktender_first_state", arguments=FIRST[t]),
            trigger(f"{t}_moves_legally", t, "UPDATE", "locktender_legal_move", arguments=moves, **changes),
            trigger(f"{t}_finished_at", t, "UPDATE", "locktender_finished_at", arguments=FINAL[t]),
            trigger(
                f"{t}_stays_as_it_ended",
                t,
                "UPDATE",
                "locktender_stays_as_it_ended",
                when="OLD.finished_at IS NOT NULL",
                arguments=may_change,
            ),
        ]
    parts += [trigger(f"{t}_started_at", t, "INSERT OR UPDATE", "locktender_started_at") for t in ("job", "step")]
    final_job = {"arguments": FINAL["job"]}
    parts += [
        trigger("run_numbered", "migrationrun", "INSERT", "locktender_number_run"),
        trigger("run_revised", "migrationrun", "UPDATE", "locktender_count_revision"),
        trigger("run_cancel_request", "migrationrun", "INSERT OR UPDATE", "locktender_cancel_request"),
        trigger(
            "run_ends_after_its_jobs",
            "migrationrun",
            "UPDATE",
            "locktender_run_ends_last",
            when=STATE_CHANGES,
            arguments=FINAL["migrationrun"],
        ),
        trigger("job_fits_run", "job", "INSERT", "locktender_job_fits_run"),
        trigger("job_fence_rises", "job", "UPDATE", "locktender_fence_rises"),
        trigger("job_within_run", "job", "UPDATE", "locktender_job_moves_within_run", when=STATE_CHANGES, **final_job),
        trigger("step_added_within_job", "step", "INSERT", "locktender_step_moves_within_job", **final_job),
        trigger(
            "step_within_job", "step", "UPDATE", "locktender_step_moves_within_job", when=STATE_CHANGES, **final_job
        ),
        trigger("database_in_use", "database", "UPDATE", "locktender_database_in_use"),
    ]
    return "".join(parts)


class Migration(migrations.Migration):
    """Legal moves, and what a run, its jobs and their steps owe each other."""

    dependencies = [("deployments", "0002_rules_of_content")]

    operations = [migrations.RunSQL(MOVING + TIMES + RUNS + JOBS + STEPS), migrations.RunSQL(triggers())]
