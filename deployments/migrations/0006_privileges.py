"""What the application's role may write: named table by table, so that a forgotten grant fails and opens nothing."""

from django.db import migrations

from deployments.database_roles import ToApplication

INSERTED = "approval auditevent migration observation policy release releasemigration runauthor script steplog".split()
UPDATED = "application contact database environment grant job migrationrun periodictask step user workerbeat".split()
DELETED = "contact grant periodictask workerbeat".split()


class Migration(migrations.Migration):
    """Read everything; write what is named here. A migration that adds a table grants what is written there."""

    dependencies = [
        ("deployments", "0005_kept_records"),
        ("sessions", "0001_initial"),
    ]

    operations = [
        ToApplication(
            "GRANT USAGE ON SCHEMA public TO {role}",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {role}",
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
            "GRANT USAGE ON SEQUENCE deployments_fence TO {role}",
            *(f"GRANT INSERT ON deployments_{table} TO {{role}}" for table in INSERTED),
            *(f"GRANT INSERT, UPDATE ON deployments_{table} TO {{role}}" for table in UPDATED),
            *(f"GRANT DELETE ON deployments_{table} TO {{role}}" for table in DELETED),
            "GRANT INSERT, UPDATE, DELETE ON django_session TO {role}",
        ),
    ]
