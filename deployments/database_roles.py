"""The two roles of the control database: an owner that migrates, and an application that owns nothing."""

from typing import Any

from django.conf import settings
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation

from deployments.errors import DeploymentError


class OwnerRoleMissing(DeploymentError):
    """Migrating was asked for without the role that owns the tables."""

    code = "owner-role-missing"

    def __init__(self) -> None:
        super().__init__(
            "DATABASE_OWNER_URL is not set, or names the same role as DATABASE_URL. Nothing was changed. "
            "Set it to a role that owns the control database and is not the application's, then migrate again."
        )


def application_role() -> str:
    """Return the role web, workers and dispatchers connect as. Raises OwnerRoleMissing if it is the owner."""
    name = str(settings.DATABASES["default"]["USER"])
    if "owner" not in settings.DATABASES or settings.DATABASES["owner"]["USER"] == name:
        raise OwnerRoleMissing
    return name


class ToApplication(Operation):
    """Run statements about the application's role, whose name each installation chooses: `{role}` stands for it."""

    reversible = False
    reduces_to_sql = True

    def __init__(self, *statements: str) -> None:
        self.statements = statements

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Leave the models alone: privileges are not part of them."""

    def database_forwards(
        self, _app_label: str, schema_editor: BaseDatabaseSchemaEditor, _before: Any, _after: Any
    ) -> None:
        """Execute each statement with the quoted role name in its place."""
        role = schema_editor.quote_name(application_role())
        for statement in self.statements:
            schema_editor.execute(statement.replace("{role}", role))

    def describe(self) -> str:
        """Return what `migrate` prints."""
        return "Give the application's role exactly what it needs"
