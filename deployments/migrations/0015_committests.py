"""What CI reports about the application's tests on a commit: appended with the database's time, and kept."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

from deployments.database_roles import ToApplication
from deployments.triggers import trigger


class Migration(migrations.Migration):
    """Of several reports about a commit the newest counts; none is changed or taken away."""

    dependencies = [("deployments", "0014_pauses_and_session_ends")]

    operations = [
        migrations.CreateModel(
            name="CommitTests",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("commit", models.CharField(max_length=64)),
                ("passed", models.BooleanField()),
                ("url", models.CharField(blank=True, max_length=500)),
                ("reason", models.TextField(blank=True)),
                (
                    "reported_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "application",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reported_tests",
                        to="deployments.application",
                    ),
                ),
                (
                    "reported_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["application", "commit", "-id"], name="committests_newest")],
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(commit__regex="^([0-9a-f]{40}|[0-9a-f]{64})$"), name="committests_commit_whole"
                    ),
                    models.CheckConstraint(
                        condition=Q(url="") | Q(url__regex=r"^https?://[^[:space:]]+$"), name="committests_url_is_web"
                    ),
                ],
            },
        ),
        migrations.RunSQL(
            trigger("committests_append_only", "committests", "UPDATE OR DELETE OR TRUNCATE", "locktender_refuse")
            + trigger("committests_dated", "committests", "INSERT", "locktender_dated", arguments="reported_at")
        ),
        ToApplication("GRANT INSERT ON deployments_committests TO {role}"),
    ]
