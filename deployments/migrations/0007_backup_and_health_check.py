"""Backups, health checks, and the smoke script of a release."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """Written by makemigrations."""

    dependencies = [
        ("deployments", "0006_privileges"),
    ]

    operations = [
        migrations.AddField(
            model_name="release",
            name="smoke",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="deployments.script",
            ),
        ),
        migrations.CreateModel(
            name="Backup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "scope",
                    models.CharField(
                        choices=[("database", "Whole database"), ("tables", "What the script destroys")], max_length=20
                    ),
                ),
                ("place", models.CharField(max_length=300, unique=True)),
                (
                    "level",
                    models.CharField(
                        choices=[
                            ("manifest", "Complete by its manifest"),
                            ("readable", "Read to the end"),
                            ("restored", "Restored"),
                            ("equal", "Restored and equal"),
                        ],
                        max_length=20,
                    ),
                ),
                ("bytes", models.BigIntegerField()),
                ("files", models.PositiveIntegerField()),
                ("snapshot_at", models.DateTimeField()),
                ("snapshot_lsn", models.CharField(max_length=20)),
                ("server_version", models.PositiveIntegerField()),
                ("client_version", models.CharField(max_length=40)),
                ("manifest_sha256", models.CharField(max_length=64)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="backups", to="deployments.job"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("scope__in", ["database", "tables"])), name="backup_scope_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("level__in", ["manifest", "readable", "restored", "equal"])),
                        name="backup_level_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("bytes__gt", 0), ("files__gt", 0)), name="backup_not_empty"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="HealthCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("url", models.CharField(max_length=500)),
                ("status", models.PositiveSmallIntegerField(default=200)),
                ("json_path", models.CharField(blank=True, max_length=200)),
                ("json_value", models.CharField(blank=True, max_length=200)),
                ("text", models.CharField(blank=True, max_length=200)),
                ("version_path", models.CharField(blank=True, max_length=200)),
                (
                    "environment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="health_check",
                        to="deployments.environment",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("status__gte", 100), ("status__lte", 599)), name="health_status_is_http"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("json_value", ""), models.Q(("json_path", ""), _negated=True), _connector="OR"
                        ),
                        name="health_value_has_its_path",
                    ),
                ],
            },
        ),
    ]
