"""The back door: alarms about a history that somebody else changed, who may change a schema, and what is ignored."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

from deployments.database_roles import ToApplication
from deployments.triggers import trigger

OUTCOMES = [
    ("produced", "The migrations produce it"),
    ("different", "The migrations do not produce it"),
    ("not-checked", "Not checked"),
]
PROTECT = django.db.models.deletion.PROTECT
TABLES = ("historyalarm", "alarmanswer", "targetaccess", "driftrules", "datamodelcheck")
DATED = {
    "historyalarm": "raised_at",
    "alarmanswer": "answered_at",
    "targetaccess": "read_at",
    "driftrules": "created_at",
    "datamodelcheck": "checked_at",
}


def number() -> tuple[str, models.BigAutoField]:
    """Return the primary key of a table."""
    return "id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


def moment(name: str) -> tuple[str, models.DateTimeField]:
    """Return a column that a trigger sets."""
    return name, models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)


class Migration(migrations.Migration):
    """Nothing of these tables is ever changed: what ends an alarm is a row of its own."""

    dependencies = [("deployments", "0020_way_back_by_script")]

    operations = [
        # Readings of before have none. A column without a value changes no row, so no trigger has anything to refuse.
        migrations.AddField("observation", "begun_at", models.DateTimeField(null=True)),
        migrations.AddField("observation", "clients", models.JSONField(null=True)),
        migrations.CreateModel(
            name="HistoryAlarm",
            fields=[
                number(),
                (
                    "kind",
                    models.CharField(choices=[(one, one) for one in ("foreign", "gone", "changed")], max_length=20),
                ),
                ("migration", models.CharField(max_length=255)),
                ("before", models.TextField(null=True)),
                ("after", models.TextField(null=True)),
                moment("raised_at"),
                ("database", models.ForeignKey(on_delete=PROTECT, related_name="alarms", to="deployments.database")),
                ("seen_in", models.ForeignKey(on_delete=PROTECT, related_name="+", to="deployments.observation")),
                ("as_before", models.ForeignKey(on_delete=PROTECT, related_name="+", to="deployments.observation")),
            ],
            options={
                "indexes": [models.Index(fields=["database", "-id"], name="historyalarm_of_database")],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(kind="foreign", before__isnull=True, after__isnull=False)
                        | Q(kind="gone", before__isnull=False, after__isnull=True)
                        | Q(kind="changed", before__isnull=False, after__isnull=False),
                        name="historyalarm_says_what_changed",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AlarmAnswer",
            fields=[
                number(),
                ("reason", models.TextField()),
                moment("answered_at"),
                (
                    "alarm",
                    models.OneToOneField(on_delete=PROTECT, related_name="answer", to="deployments.historyalarm"),
                ),
                ("answered_by", models.ForeignKey(on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=~Q(reason=""), name="alarmanswer_reason_present")]
            },
        ),
        migrations.CreateModel(
            name="TargetAccess",
            fields=[
                number(),
                ("content", models.JSONField()),
                ("digest", models.CharField(max_length=64)),
                moment("read_at"),
                ("database", models.ForeignKey(on_delete=PROTECT, related_name="accesses", to="deployments.database")),
            ],
            options={"indexes": [models.Index(fields=["database", "-id"], name="targetaccess_newest")]},
        ),
        migrations.CreateModel(
            name="DriftRules",
            fields=[
                number(),
                ("rules", models.JSONField()),
                ("reason", models.TextField()),
                moment("created_at"),
                (
                    "environment",
                    models.ForeignKey(on_delete=PROTECT, related_name="drift_rules", to="deployments.environment"),
                ),
                ("set_by", models.ForeignKey(on_delete=PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
            ],
            options={
                "indexes": [models.Index(fields=["environment", "-id"], name="driftrules_newest")],
                "constraints": [models.CheckConstraint(condition=~Q(reason=""), name="driftrules_reason_present")],
            },
        ),
        migrations.CreateModel(
            name="DatamodelCheck",
            fields=[
                number(),
                ("outcome", models.CharField(choices=OUTCOMES, max_length=20)),
                ("found", models.JSONField()),
                moment("checked_at"),
                (
                    "release",
                    models.ForeignKey(on_delete=PROTECT, related_name="datamodel_checks", to="deployments.release"),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["release", "-id"], name="datamodelcheck_newest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(outcome__in=[value for value, _ in OUTCOMES]), name="datamodelcheck_outcome_known"
                    )
                ],
            },
        ),
        migrations.RunSQL(
            "".join(
                trigger(f"{table}_append_only", table, "UPDATE OR DELETE OR TRUNCATE", "locktender_refuse")
                + trigger(f"{table}_dated", table, "INSERT", "locktender_dated", arguments=DATED[table])
                for table in TABLES
            )
        ),
        ToApplication(*(f"GRANT INSERT ON deployments_{table} TO {{role}}" for table in TABLES)),
    ]
