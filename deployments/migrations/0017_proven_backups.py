"""What was found out about backups after they were made, how long they stay, and where they are tried."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

from deployments.database_roles import ToApplication
from deployments.triggers import trigger

OUTCOMES = [
    ("readable", "Every file is as the manifest says"),
    ("restored", "Restored, and not all of it could be compared"),
    ("equal", "Restored and equal"),
    ("damaged", "Damaged or missing"),
    ("different", "Restored and different"),
    ("unreachable", "The store could not be read"),
]
ID = ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"))
DATED = {"backupcheck": "made_at", "backuphold": "said_at", "backupexpiry": "expired_at"}
PROTECT = django.db.models.deletion.PROTECT


def moment(name: str) -> tuple[str, models.DateTimeField]:
    """Return a column that has the database's time."""
    return name, models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)


class Migration(migrations.Migration):
    """Records beside a backup, whose own row stays as it was written."""

    dependencies = [("deployments", "0016_schema_snapshots")]

    operations = [
        migrations.AddField("environment", "rehearsal_connection", models.CharField(blank=True, max_length=500)),
        migrations.AddConstraint(
            "environment",
            models.CheckConstraint(
                name="environment_rehearsal_connection_is_a_reference",
                condition=Q(rehearsal_connection="") | Q(rehearsal_connection__regex=r"^(env|file):.+$"),
            ),
        ),
        migrations.CreateModel(
            name="BackupCheck",
            fields=[
                ID,
                ("outcome", models.CharField(choices=OUTCOMES, max_length=20)),
                ("found", models.JSONField(default=dict)),
                moment("made_at"),
                (
                    "backup",
                    models.ForeignKey(on_delete=PROTECT, related_name="checks", to="deployments.backup"),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["backup", "-id"], name="backupcheck_newest")],
                "constraints": [
                    models.CheckConstraint(
                        name="backupcheck_outcome_known", condition=Q(outcome__in=[value for value, _ in OUTCOMES])
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="BackupHold",
            fields=[
                ID,
                ("is_held", models.BooleanField()),
                ("reason", models.TextField()),
                moment("said_at"),
                ("backup", models.ForeignKey(on_delete=PROTECT, related_name="holds", to="deployments.backup")),
                ("said_by", models.ForeignKey(on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "indexes": [models.Index(fields=["backup", "-id"], name="backuphold_newest")],
                "constraints": [models.CheckConstraint(name="backuphold_reason_present", condition=~Q(reason=""))],
            },
        ),
        migrations.CreateModel(
            name="BackupExpiry",
            fields=[
                ID,
                ("rule", models.TextField()),
                moment("expired_at"),
                ("backup", models.OneToOneField(on_delete=PROTECT, related_name="expiry", to="deployments.backup")),
            ],
        ),
        migrations.RunSQL(
            "".join(
                trigger(f"{table}_append_only", table, "UPDATE OR DELETE OR TRUNCATE", "locktender_refuse")
                + trigger(f"{table}_dated", table, "INSERT", "locktender_dated", arguments=column)
                for table, column in DATED.items()
            )
        ),
        ToApplication(*(f"GRANT INSERT ON deployments_{table} TO {{role}}" for table in DATED)),
    ]
