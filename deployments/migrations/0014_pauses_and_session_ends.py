"""Pausing a run, what became of a cancel, and ending one session of others: as it was asked, and with its outcome."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

from deployments.database_roles import ToApplication
from deployments.triggers import function, trigger

PERSON = {"null": True, "blank": True, "on_delete": django.db.models.deletion.PROTECT, "related_name": "+"}
TIME = {"null": True, "blank": True}
ASKED = "id job_id pid backend_start xact_start shown_user shown_application asked_by_id reason request_key asked_at"
CANCEL_OUTCOMES = [
    ("not-begun", "Nothing had begun"),
    ("rolled-back", "Rolled back"),
    ("unfinished", "Left unfinished"),
    ("between", "Nothing was under way"),
    ("committed", "Already committed"),
]
SESSION_OUTCOMES = [
    ("ended", "Ended"),
    ("gone", "Already gone"),
    ("moved-on", "Not ended: that transaction was over"),
    ("not-permitted", "Not ended: not permitted"),
    ("ours", "Refused: one of Locktender's own"),
    ("anti-wraparound", "Refused: a vacuum against wraparound"),
    ("not-in-the-way", "Not ended: no longer in the way"),
    ("stays", "Told to end, still there"),
    ("not-tried", "Not tried: nothing waited any more"),
]

# A pause can be lifted, and asked for again; while it is asked for, it stays as it was asked.
PAUSE = function(
    "locktender_pause_request",
    """
    IF TG_OP = 'INSERT' OR OLD.pause_requested_at IS NULL THEN
        NEW.pause_requested_at := CASE WHEN NEW.pause_requested_at IS NOT NULL THEN clock_timestamp() END;
    ELSIF NEW.pause_requested_at IS NOT NULL
          AND (OLD.pause_requested_at, OLD.pause_requested_by_id, OLD.pause_reason)
              IS DISTINCT FROM (NEW.pause_requested_at, NEW.pause_requested_by_id, NEW.pause_reason) THEN
        PERFORM locktender_raise(TG_NAME, TG_TABLE_NAME,
            format('run %s was asked to pause: that stays until it is resumed', OLD.number));
    END IF;
    RETURN NEW;
""",
)
# Arguments: columns that are written once. NULL and '' are not written yet.
ONCE = function(
    "locktender_once",
    """
    FOREACH name IN ARRAY TG_ARGV LOOP
        IF coalesce(to_jsonb(OLD) ->> name, '') <> '' AND to_jsonb(OLD) -> name IS DISTINCT FROM to_jsonb(NEW) -> name
        THEN
            PERFORM locktender_raise(TG_NAME, TG_TABLE_NAME,
                format('%s of row %s of %s is written once', name, OLD.id, TG_TABLE_NAME));
        END IF;
    END LOOP;
    RETURN NEW;
""",
    declare="    name text;",
)
DONE = function(
    "locktender_session_end_done",
    """
    IF TG_OP = 'INSERT' THEN
        NEW.outcome := '';
        NEW.done_at := NULL;
    ELSIF OLD.outcome = '' AND NEW.outcome <> '' THEN
        NEW.done_at := clock_timestamp();
    END IF;
    RETURN NEW;
""",
)
TRIGGERS = "".join(
    [
        trigger("run_pause_request", "migrationrun", "INSERT OR UPDATE", "locktender_pause_request"),
        trigger("job_cancel_facts", "job", "UPDATE", "locktender_once", arguments="cancel_seen_at cancel_ended_at"),
        trigger("sessionend_dated", "sessionend", "INSERT", "locktender_dated", arguments="asked_at"),
        trigger("sessionend_done", "sessionend", "INSERT OR UPDATE", "locktender_session_end_done"),
        trigger("sessionend_frozen", "sessionend", "UPDATE", "locktender_frozen", arguments=ASKED),
        trigger("sessionend_kept", "sessionend", "DELETE OR TRUNCATE", "locktender_refuse"),
        trigger("sessionend_once", "sessionend", "UPDATE", "locktender_once", arguments="outcome done_at"),
    ]
)


class Migration(migrations.Migration):
    """What a person asks of an executor is a row; what came of it is written beside it."""

    dependencies = [("deployments", "0013_lost_lives_and_drains")]

    operations = [
        migrations.AddField("migrationrun", "pause_requested_at", models.DateTimeField(**TIME)),
        migrations.AddField(
            "migrationrun", "pause_requested_by", models.ForeignKey(to=settings.AUTH_USER_MODEL, **PERSON)
        ),
        migrations.AddField("migrationrun", "pause_reason", models.TextField(blank=True)),
        migrations.AddConstraint(
            "migrationrun",
            models.CheckConstraint(
                name="run_pause_request_names_its_person_and_reason",
                condition=Q(pause_requested_at__isnull=True, pause_requested_by__isnull=True, pause_reason="")
                | (Q(pause_requested_at__isnull=False, pause_requested_by__isnull=False) & ~Q(pause_reason="")),
            ),
        ),
        migrations.AddField("job", "cancel_seen_at", models.DateTimeField(**TIME)),
        migrations.AddField("job", "cancel_ended_at", models.DateTimeField(**TIME)),
        migrations.AddField(
            "job", "cancel_outcome", models.CharField(blank=True, choices=CANCEL_OUTCOMES, max_length=40)
        ),
        migrations.AddField("job", "cancel_answer", models.CharField(blank=True, max_length=5)),
        migrations.AddField("job", "paused_at", models.DateTimeField(**TIME)),
        migrations.AddField("job", "pauses", models.PositiveIntegerField(default=0)),
        migrations.AddField("job", "paused_world", models.JSONField(null=True)),
        migrations.AddField("job", "holds_slot", models.BooleanField(default=False)),
        migrations.RemoveConstraint("job", "job_one_writer_per_database"),
        migrations.AddConstraint(
            "job",
            models.UniqueConstraint(
                name="job_one_writer_per_database",
                fields=["database"],
                condition=Q(writes=True)
                & (Q(state__in=["needs_attention", "running"]) | Q(state="queued", holds_slot=True)),
            ),
        ),
        migrations.CreateModel(
            name="SessionEnd",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("pid", models.PositiveIntegerField()),
                ("backend_start", models.DateTimeField()),
                ("xact_start", models.DateTimeField(null=True)),
                ("shown_user", models.CharField(blank=True, max_length=120)),
                ("shown_application", models.CharField(blank=True, max_length=120)),
                ("reason", models.TextField()),
                ("request_key", models.UUIDField(unique=True)),
                (
                    "asked_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("outcome", models.CharField(blank=True, choices=SESSION_OUTCOMES, max_length=20)),
                ("done_at", models.DateTimeField(blank=True, null=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="session_ends", to="deployments.job"
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "indexes": [
                    models.Index(fields=["job"], name="sessionend_open", condition=Q(done_at__isnull=True)),
                ],
                "constraints": [
                    models.CheckConstraint(name="sessionend_reason_present", condition=~Q(reason="")),
                    models.CheckConstraint(
                        name="sessionend_outcome_known",
                        condition=Q(outcome="") | Q(outcome__in=[value for value, _ in SESSION_OUTCOMES]),
                    ),
                    models.CheckConstraint(
                        name="sessionend_done_exactly_with_its_outcome",
                        condition=Q(outcome="", done_at__isnull=True) | (~Q(outcome="") & Q(done_at__isnull=False)),
                    ),
                    models.UniqueConstraint(
                        name="sessionend_once_at_a_time",
                        fields=["job", "pid", "backend_start"],
                        condition=Q(done_at__isnull=True),
                    ),
                ],
            },
        ),
        migrations.RunSQL(PAUSE + ONCE + DONE),
        migrations.RunSQL(TRIGGERS),
        ToApplication("GRANT INSERT, UPDATE ON deployments_sessionend TO {role}"),
    ]
