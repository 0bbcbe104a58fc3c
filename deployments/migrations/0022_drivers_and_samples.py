"""Backups that a driver makes, those of which a sample was compared, and wishes for single tables of one."""

from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.models import Q

from deployments.triggers import trigger

SCOPES = [
    ("database", "Whole database"),
    ("tables", "What the script destroys"),
    ("server", "Whole server, by a driver"),
]
LEVELS = [
    ("driver", "Made by a driver, not restored by us"),
    ("manifest", "Complete by its manifest"),
    ("readable", "Read to the end"),
    ("restored", "Restored"),
    ("equal", "Restored and equal"),
]
OUTCOMES = [
    ("readable", "Every file is as the manifest says"),
    ("restored", "Restored, and not all of it could be compared"),
    ("sampled", "Restored, and a sample of it compared"),
    ("vouched", "Restored by its driver, as that says"),
    ("equal", "Restored and equal"),
    ("damaged", "Damaged or missing"),
    ("different", "Restored and different"),
    ("unreachable", "The store could not be read"),
]
KINDS = [
    ("look", "Look at what a job left there"),
    ("readopt", "Re-adopt it"),
    ("price", "Count what a restore would lose"),
    ("script-price", "Count what a way back by script would drop"),
    ("tables", "Put tables of a backup beside those of now"),
]


def known(table: str, field: str, choices: list[tuple[str, str]], constraint: str) -> list[Operation]:
    """Return what lets a column have these values, and no others."""
    return [
        migrations.RemoveConstraint(table, constraint),
        migrations.AlterField(table, field, models.CharField(choices=choices, max_length=20)),
        migrations.AddConstraint(
            table,
            models.CheckConstraint(condition=Q(**{f"{field}__in": [one for one, _ in choices]}), name=constraint),
        ),
    ]


class Migration(migrations.Migration):
    """New values for what there is; a backup's driver and restore point; what a wish asks for beyond its kind."""

    dependencies = [("deployments", "0021_back_door")]

    operations = [
        *known("backup", "scope", SCOPES, "backup_scope_known"),
        *known("backup", "level", LEVELS, "backup_level_known"),
        *known("backupcheck", "outcome", OUTCOMES, "backupcheck_outcome_known"),
        *known("targetrequest", "kind", KINDS, "targetrequest_kind_known"),
        migrations.AddField("backup", "driver", models.CharField(default="pg_dump", max_length=40)),
        migrations.AddField("backup", "restore_point", models.CharField(blank=True, default="", max_length=500)),
        migrations.AlterField("backup", "restore_point", models.CharField(blank=True, max_length=500)),
        migrations.AddConstraint(
            "backup",
            models.CheckConstraint(
                condition=~Q(scope="server") | ~Q(restore_point=""), name="backup_of_a_driver_has_a_point"
            ),
        ),
        migrations.AddField("targetrequest", "asked", models.JSONField(default=dict)),
        migrations.RemoveConstraint("targetrequest", "targetrequest_looks_for_a_job"),
        migrations.AddConstraint(
            "targetrequest",
            models.CheckConstraint(
                condition=Q(kind__in=["look", "price", "script-price", "tables"], job__isnull=False)
                | Q(kind="readopt", job__isnull=True),
                name="targetrequest_looks_for_a_job",
            ),
        ),
        migrations.RemoveConstraint("targetrequest", "targetrequest_readopts_with_a_reason"),
        migrations.AddConstraint(
            "targetrequest",
            models.CheckConstraint(
                condition=~Q(kind__in=["readopt", "tables"]) | ~Q(reason=""),
                name="targetrequest_readopts_with_a_reason",
            ),
        ),
        migrations.RunSQL(
            trigger("targetrequest_asked_frozen", "targetrequest", "UPDATE", "locktender_frozen", arguments="asked")
        ),
    ]
