"""How often somebody tried to sign in lately: counted, and forgotten when the window is over."""

import django.db.models.functions.datetime
from django.db import migrations, models

from deployments.database_roles import ToApplication


class Migration(migrations.Migration):
    """No record: the application may change and delete it."""

    dependencies = [
        ("deployments", "0009_latency_readings"),
    ]

    operations = [
        migrations.CreateModel(
            name="SignInTries",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("began_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("count", models.PositiveIntegerField()),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("count__gte", 1)), name="signintries_count_positive")
                ],
            },
        ),
        ToApplication("GRANT INSERT, UPDATE, DELETE ON deployments_signintries TO {role}"),
    ]
