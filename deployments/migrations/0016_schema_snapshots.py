"""Schemas are kept with what they consist of: a difference can be shown, and not only that there is one."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

from deployments.database_roles import ToApplication
from deployments.triggers import trigger

EXPECTED = [("first", "It was read first"), ("run", "A run left it"), ("accepted", "Somebody accepted it")]
SHA_256 = "^[0-9a-f]{64}$"
TABLES = ("schemarecord", "schemasnapshot", "schemaexpectation")
PROTECT = django.db.models.deletion.PROTECT


class Migration(migrations.Migration):
    """Rows go by what is in them, so that a thousand readings of one schema are one row."""

    dependencies = [("deployments", "0015_committests")]

    operations = [
        migrations.CreateModel(
            name="SchemaRecord",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("record", models.JSONField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=Q(digest__regex=SHA_256), name="schemarecord_digest_whole")
                ]
            },
        ),
        migrations.CreateModel(
            name="SchemaSnapshot",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("fingerprint", models.CharField(max_length=64)),
                ("objects_by_name", models.JSONField()),
                ("orders", models.JSONField()),
                ("format", models.PositiveIntegerField()),
                ("server_version", models.PositiveIntegerField()),
                (
                    "first_read_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=Q(digest__regex=SHA_256), name="schemasnapshot_digest_whole")
                ]
            },
        ),
        migrations.CreateModel(
            name="SchemaExpectation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "database",
                    models.ForeignKey(on_delete=PROTECT, related_name="expectations", to="deployments.database"),
                ),
                ("snapshot", models.ForeignKey(on_delete=PROTECT, related_name="+", to="deployments.schemasnapshot")),
                ("kind", models.CharField(choices=EXPECTED, max_length=20)),
                (
                    "job",
                    models.ForeignKey(null=True, on_delete=PROTECT, related_name="expectations", to="deployments.job"),
                ),
                (
                    "accepted_by",
                    models.ForeignKey(null=True, on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL),
                ),
                ("reason", models.TextField(blank=True)),
                ("rules", models.JSONField()),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["database", "-id"], name="schemaexpectation_newest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(kind__in=[kind for kind, _ in EXPECTED]), name="schemaexpectation_kind_known"
                    ),
                    models.CheckConstraint(
                        condition=Q(kind="run", job__isnull=False) | ~Q(kind="run") & Q(job__isnull=True),
                        name="schemaexpectation_job_of_run",
                    ),
                    models.CheckConstraint(
                        condition=Q(kind="accepted", accepted_by__isnull=False) & ~Q(reason="")
                        | ~Q(kind="accepted") & Q(accepted_by__isnull=True),
                        name="schemaexpectation_accepted_with_reason",
                    ),
                ],
            },
        ),
        # Readings of before have none. A column without a value changes no row, so no trigger has anything to refuse.
        migrations.AddField(
            model_name="observation",
            name="snapshot",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="observations",
                to="deployments.schemasnapshot",
            ),
        ),
        migrations.RunSQL(
            "".join(
                trigger(f"{table}_append_only", table, "UPDATE OR DELETE OR TRUNCATE", "locktender_refuse")
                for table in TABLES
            )
            + trigger("schemasnapshot_dated", "schemasnapshot", "INSERT", "locktender_dated", arguments="first_read_at")
            + trigger(
                "schemaexpectation_dated", "schemaexpectation", "INSERT", "locktender_dated", arguments="created_at"
            )
        ),
        ToApplication(*(f"GRANT INSERT ON deployments_{table} TO {{role}}" for table in TABLES)),
    ]
