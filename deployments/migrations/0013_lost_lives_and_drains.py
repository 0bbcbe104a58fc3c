"""A control database that comes from an older backup, a look at a target that somebody asks for, and a drain."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

from deployments.database_roles import ToApplication
from deployments.triggers import trigger

# Run numbers stay gapless, but for those of a life that was lost: `last_lost_run` was raised with an audit event.
NUMBERS = """
CREATE OR REPLACE FUNCTION locktender_number_run() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('locktender run number'));
    SELECT greatest(coalesce((SELECT max(number) FROM deployments_migrationrun), 0),
                    coalesce((SELECT max(last_lost_run) FROM deployments_controlplane), 0)) + 1 INTO NEW.number;
    NEW.revision := 1;
    RETURN NEW;
END $$;
"""

# The application may move these numbers forward, and by this function alone: backward would give one out twice.
# The room above what was seen is for who draws a number between reading the sequence and setting it. What a target
# says is bounded, so that a nonsensical number in one does not use up the numbers of all.
BEYOND = """
CREATE FUNCTION locktender_numbers_beyond(seen_fence bigint, seen_job bigint, seen_run bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    most CONSTANT bigint := 1000000000000000;
    room CONSTANT bigint := 1000;
    jobs CONSTANT regclass := pg_get_serial_sequence('public.deployments_job', 'id');
BEGIN
    IF seen_fence < most AND seen_fence >= coalesce(pg_sequence_last_value('public.deployments_fence'), 0) THEN
        PERFORM setval('public.deployments_fence', seen_fence + room);
    END IF;
    IF seen_job < most AND seen_job >= coalesce(pg_sequence_last_value(jobs), 0) THEN
        PERFORM setval(jobs, seen_job + room);
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('locktender run number'));
    UPDATE public.deployments_controlplane SET last_lost_run = seen_run
        WHERE seen_run < most AND seen_run > last_lost_run
          AND seen_run > coalesce((SELECT max(number) FROM public.deployments_migrationrun), 0);
END $$;
REVOKE ALL ON FUNCTION locktender_numbers_beyond(bigint, bigint, bigint) FROM PUBLIC;
"""

TRIGGERS = (
    trigger("targetrequest_kept", "targetrequest", "DELETE OR TRUNCATE", "locktender_refuse")
    + trigger(
        "targetrequest_stays_as_it_ended",
        "targetrequest",
        "UPDATE",
        "locktender_stays_as_it_ended",
        when="OLD.answered_at IS NOT NULL",
    )
    + trigger(
        "targetrequest_frozen",
        "targetrequest",
        "UPDATE",
        "locktender_frozen",
        arguments="id database_id job_id kind requested_by_id reason created_at",
    )
    + trigger("targetrequest_dated", "targetrequest", "INSERT", "locktender_dated", arguments="created_at")
    + trigger("drain_kept", "drain", "DELETE OR TRUNCATE", "locktender_refuse")
    + trigger("drain_frozen", "drain", "UPDATE", "locktender_frozen", arguments="id reason begun_at begun_by_id")
    + trigger(
        "drain_stays_as_it_ended", "drain", "UPDATE", "locktender_stays_as_it_ended", when="OLD.ended_at IS NOT NULL"
    )
    + trigger("drain_dated", "drain", "INSERT", "locktender_dated", arguments="begun_at")
)


def person() -> models.ForeignKey:
    """Return the column of a person who did something; empty for a part of the product."""
    return models.ForeignKey(
        blank=True,
        null=True,
        on_delete=django.db.models.deletion.PROTECT,
        related_name="+",
        to=settings.AUTH_USER_MODEL,
    )


def now() -> models.DateTimeField:
    """Return the column of when a row was written, by the database's clock."""
    return models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)


ID = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    """Wishes and drains are records: a row that is over is kept as it ended."""

    dependencies = [("deployments", "0012_observed_model")]

    operations = [
        migrations.AddField("controlplane", "last_lost_run", models.PositiveBigIntegerField(default=0)),
        migrations.AddField("observation", "ledger", models.JSONField(null=True)),
        migrations.AddField("job", "decided", models.JSONField(blank=True, default=dict)),
        migrations.CreateModel(
            name="Drain",
            fields=[
                ("id", ID),
                ("reason", models.TextField()),
                ("begun_at", now()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("begun_by", person()),
                ("ended_by", person()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=~models.Q(reason=""), name="drain_reason_present"),
                    models.UniqueConstraint(fields=("ended_at",), name="drain_one_at_a_time", nulls_distinct=False),
                ],
            },
        ),
        migrations.CreateModel(
            name="TargetRequest",
            fields=[
                ("id", ID.clone()),
                ("kind", models.CharField(
                    choices=[("look", "Look at what a job left there"), ("readopt", "Re-adopt it")], max_length=20,
                )),
                ("reason", models.TextField(blank=True)),
                ("created_at", now()),
                ("sent_at", models.DateTimeField(blank=True, null=True)),
                ("answered_at", models.DateTimeField(blank=True, null=True)),
                ("found", models.JSONField(default=dict)),
                ("error_code", models.CharField(blank=True, max_length=60)),
                ("error", models.TextField(blank=True)),
                ("database", models.ForeignKey(
                    on_delete=django.db.models.deletion.PROTECT, related_name="requests", to="deployments.database",
                )),
                ("job", models.ForeignKey(
                    blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="looks",
                    to="deployments.job",
                )),
                ("requested_by", person()),
            ],
            options={
                "indexes": [models.Index(fields=["job", "-id"], name="targetrequest_of_job")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["look", "readopt"])), name="targetrequest_kind_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("job__isnull", False), ("kind", "look"))
                        | models.Q(("job__isnull", True), ("kind", "readopt")),
                        name="targetrequest_looks_for_a_job",
                    ),
                    models.CheckConstraint(
                        condition=~models.Q(("kind", "readopt")) | ~models.Q(("reason", "")),
                        name="targetrequest_readopts_with_a_reason",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("answered_at__isnull", True)),
                        fields=("database", "kind"),
                        name="targetrequest_open_once",
                    ),
                ],
            },
        ),
        migrations.RunSQL(NUMBERS + BEYOND + TRIGGERS),
        ToApplication(
            "GRANT INSERT, UPDATE ON deployments_targetrequest, deployments_drain TO {role}",
            "GRANT EXECUTE ON FUNCTION locktender_numbers_beyond(bigint, bigint, bigint) TO {role}",
        ),
    ]  # fmt: skip
