"""The scripts of a release that a rehearsal uses: what masks the data of a copy, and the application's queries."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Written by makemigrations."""

    dependencies = [
        ("deployments", "0022_drivers_and_samples"),
    ]

    operations = [
        migrations.AddField(
            model_name="release",
            name=name,
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="deployments.script",
            ),
        )
        for name in ("masking", "queries")
    ]
