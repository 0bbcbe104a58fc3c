"""What rehearsals proved."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models
from django.db.models import Q

from deployments.database_roles import ToApplication
from deployments.triggers import trigger

OUTCOMES = [
    ("restores everything", "Restores everything"),
    ("restores the schema and loses named data", "Restores the schema and loses named data"),
    ("not proven", "Not proven"),
]


class Migration(migrations.Migration):
    """One row per job of a rehearsal, which nobody changes afterwards."""

    dependencies = [("deployments", "0017_proven_backups")]

    operations = [
        migrations.CreateModel(
            name="Rehearsal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("scripts", models.CharField(max_length=64)),
                ("outcome", models.CharField(choices=OUTCOMES, max_length=60)),
                ("proof", models.JSONField()),
                (
                    "made_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "job",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="rehearsal", to="deployments.job"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["scripts", "-id"], name="rehearsal_of_scripts")],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(outcome__in=[value for value, _ in OUTCOMES]), name="rehearsal_outcome_known"
                    )
                ],
            },
        ),
        migrations.RunSQL(
            trigger("rehearsal_append_only", "rehearsal", "UPDATE OR DELETE OR TRUNCATE", "locktender_refuse")
            + trigger("rehearsal_dated", "rehearsal", "INSERT", "locktender_dated", arguments="made_at")
        ),
        ToApplication("GRANT INSERT ON deployments_rehearsal TO {role}"),
    ]
