"""Django's `migrate`, as the role that owns the tables."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate

from deployments.database_roles import OwnerRoleMissing, application_role


class Command(migrate.Command):
    """Migrate the control database through DATABASE_OWNER_URL."""

    help = "Migrates the control database as its owner (DATABASE_OWNER_URL)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Make the owner's connection the default one."""
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def execute(self, *args: Any, **options: Any) -> Any:
        """Migrate, or refuse with owner-role-missing before Django looks for the connection."""
        try:
            application_role()
        except OwnerRoleMissing as refusal:
            raise CommandError(f"{refusal.code}: {refusal}") from refusal
        return super().execute(*args, **options)
