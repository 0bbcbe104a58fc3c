"""A fourth kind of wish about a target, and whom a way back asks to bring the earlier application back."""

from django.db import migrations, models
from django.db.models import Q

KINDS = [
    ("look", "Look at what a job left there"),
    ("readopt", "Re-adopt it"),
    ("price", "Count what a restore would lose"),
    ("script-price", "Count what a way back by script would drop"),
]


class Migration(migrations.Migration):
    """The price of a script is a wish like that of a restore. The hook is an address without a secret."""

    dependencies = [("deployments", "0019_restores")]

    operations = [
        migrations.AddField("environment", "rollback_hook", models.CharField(blank=True, max_length=500)),
        migrations.AddConstraint(
            "environment",
            models.CheckConstraint(
                condition=Q(rollback_hook="") | Q(rollback_hook__startswith="https://"),
                name="environment_rollback_hook_is_https",
            ),
        ),
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
                condition=Q(kind__in=["look", "price", "script-price"], job__isnull=False)
                | Q(kind="readopt", job__isnull=True),
                name="targetrequest_looks_for_a_job",
            ),
        ),
    ]
