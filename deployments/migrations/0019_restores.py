"""Databases that are kept after a restore, and asking what a restore would lose."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models
from django.db.models import Q

from deployments.database_roles import ToApplication
from deployments.triggers import trigger

ENDINGS = [
    ("dropped", "Dropped when its time was over"),
    ("taken-back", "Taken back by another restore"),
    ("gone", "Dropped or opened by somebody else"),
]
KINDS = [
    ("look", "Look at what a job left there"),
    ("readopt", "Re-adopt it"),
    ("price", "Count what a restore would lose"),
]
# Which database it is, and what was in the new one, is what a price and an undo rely on.
TRIGGERS = (
    trigger("keptdatabase_kept", "keptdatabase", "DELETE OR TRUNCATE", "locktender_refuse")
    + trigger(
        "keptdatabase_frozen",
        "keptdatabase",
        "UPDATE",
        "locktender_frozen",
        arguments="id job_id name oid bytes baseline made_at keep_until",
    )
    + trigger(
        "keptdatabase_stays_as_it_ended",
        "keptdatabase",
        "UPDATE",
        "locktender_stays_as_it_ended",
        when="OLD.ended_at IS NOT NULL",
    )
    + trigger("keptdatabase_dated", "keptdatabase", "INSERT", "locktender_dated", arguments="made_at")
)


class Migration(migrations.Migration):
    """One row per exchanged database; it ends once. A third kind of wish about a target."""

    dependencies = [("deployments", "0018_rehearsals")]

    operations = [
        migrations.CreateModel(
            name="KeptDatabase",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=63)),
                ("oid", models.BigIntegerField()),
                ("bytes", models.BigIntegerField()),
                ("baseline", models.JSONField(default=dict)),
                (
                    "made_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("keep_until", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("ending", models.CharField(blank=True, choices=ENDINGS, max_length=20)),
                (
                    "job",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="kept", to="deployments.job"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["keep_until"], condition=Q(ended_at__isnull=True), name="keptdatabase_due")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(ending="") | Q(ending__in=[value for value, _ in ENDINGS]),
                        name="keptdatabase_ending_known",
                    ),
                    models.CheckConstraint(
                        condition=Q(ended_at__isnull=True, ending="") | (Q(ended_at__isnull=False) & ~Q(ending="")),
                        name="keptdatabase_ends_with_a_reason",
                    ),
                ],
            },
        ),
        migrations.RunSQL(TRIGGERS),
        ToApplication("GRANT INSERT, UPDATE (ended_at, ending) ON deployments_keptdatabase TO {role}"),
        migrations.RemoveConstraint("targetrequest", "targetrequest_kind_known"),
        migrations.RemoveConstraint("targetrequest", "targetrequest_looks_for_a_job"),
        migrations.AlterField("targetrequest", "kind", models.CharField(choices=KINDS, max_length=20)),
        migrations.AddConstraint(
            "targetrequest",
            models.CheckConstraint(
                condition=Q(kind__in=[value for value, _ in KINDS]), name="targetrequest_kind_known"
            ),
        ),
        migrations.AddConstraint(
            "targetrequest",
            models.CheckConstraint(
                condition=Q(kind__in=["look", "price"], job__isnull=False) | Q(kind="readopt", job__isnull=True),
                name="targetrequest_looks_for_a_job",
            ),
        ),
    ]
