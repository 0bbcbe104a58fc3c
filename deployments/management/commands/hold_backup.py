"""Say that a backup stays, whatever the rules, or no longer."""

from typing import Any

from django.core.management.base import CommandParser

from deployments.management.base import Command as Base
from deployments.management.base import found
from deployments.models import Backup
from deployments.services.backups import hold_backup


class Command(Base):
    """Hold a backup, or release it."""

    help = "Says that a backup stays, whatever the rules, or with --release that it need not any longer."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the place in the store, the reason, and who says so."""
        parser.add_argument("place", help="as the page of the database and the evidence of the run name it")
        parser.add_argument("--release", action="store_true", help="it need not stay any longer")
        parser.add_argument("--reason", required=True)
        self.add_person(parser)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Say it."""
        backup = found(Backup.objects.filter(place=options["place"], expiry__isnull=True), f"backup {options['place']}")
        is_held = not options["release"]
        hold_backup(backup, is_held=is_held, reason=options["reason"], actor=self.actor(options))
        self.stdout.write(f"{backup.place} {'stays until it is released' if is_held else 'goes by the rules again'}.")
