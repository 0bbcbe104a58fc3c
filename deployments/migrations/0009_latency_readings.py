"""The application's own latency: where its answer carries it, and what it was while a run worked."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from deployments.database_roles import ToApplication
from deployments.triggers import trigger


class Migration(migrations.Migration):
    """Readings are records like the lines of a log: appended with the database's time, and kept."""

    dependencies = [
        ("deployments", "0008_kept_backups"),
    ]

    operations = [
        migrations.AddField(
            model_name="healthcheck",
            name="latency_path",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.CreateModel(
            name="LatencyReading",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveSmallIntegerField()),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ("milliseconds", models.FloatField(null=True)),
                ("is_healthy", models.BooleanField()),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="latency_readings",
                        to="deployments.job",
                    ),
                ),
            ],
            options={
                "ordering": ["number"],
                "constraints": [
                    models.UniqueConstraint(fields=("job", "number"), name="latency_number_once"),
                    models.CheckConstraint(
                        condition=models.Q(("number__gte", 1), ("number__lte", 10000)), name="latency_number_bounded"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("milliseconds__gte", 0), ("milliseconds__lte", 86400000)),
                        name="latency_makes_sense",
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            trigger("latencyreading_append_only", "latencyreading", "UPDATE OR DELETE OR TRUNCATE", "locktender_refuse")
            + trigger("latencyreading_dated", "latencyreading", "INSERT", "locktender_dated", arguments="at")
        ),
        ToApplication("GRANT INSERT ON deployments_latencyreading TO {role}"),
    ]
