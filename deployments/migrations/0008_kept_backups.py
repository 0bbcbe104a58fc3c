"""What the application may do with backups and health checks: keep the first as they were written, set the second."""

from django.db import migrations

from deployments.database_roles import ToApplication
from deployments.triggers import trigger


class Migration(migrations.Migration):
    """A backup is a record like an approval: written once, with the database's time."""

    dependencies = [("deployments", "0007_backup_and_health_check")]

    operations = [
        migrations.RunSQL(
            trigger("backup_append_only", "backup", "UPDATE OR DELETE OR TRUNCATE", "locktender_refuse")
            + trigger("backup_dated", "backup", "INSERT", "locktender_dated", arguments="created_at")
        ),
        ToApplication(
            "GRANT INSERT ON deployments_backup TO {role}",
            "GRANT INSERT, UPDATE, DELETE ON deployments_healthcheck TO {role}",
        ),
    ]
