"""Unpack a backup for a restore by hand: compared with its manifest, decrypted where it is encrypted."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from deployments.artifacts import Artifacts
from deployments.management.base import Command as Base
from deployments.management.base import found
from deployments.models import Backup
from deployments.postgres.backup.archive import DUMP
from deployments.postgres.backup.opening import open_backup
from deployments.postgres.backup.sealing import Keys


class Command(Base):
    """Unpack a backup into a new folder."""

    help = "Unpacks a backup of the artifacts store into a new folder, for pg_restore: its data lie there in clear."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the place in the store, and the folder to make."""
        parser.add_argument("place", help="as the page of the database and the evidence of the run name it")
        parser.add_argument("folder", type=Path, help="does not exist yet")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Unpack it, and say how to go on."""
        backup = found(Backup.objects.filter(place=options["place"], expiry__isnull=True), f"backup {options['place']}")
        timings = settings.CONFIGURATION
        place = Artifacts(timings.artifacts).path(backup.place)
        try:
            open_backup(
                place,
                recorded=backup.manifest_sha256,
                into=options["folder"],
                keys=Keys(timings.backup_keys),
                jobs=timings.dump_jobs,
            )
        except OSError as refused:
            raise CommandError(f"It could not be unpacked into {options['folder']}: {refused.strerror}.") from refused
        self.stdout.write(
            f"Unpacked. It is as the manifest says. Restore it into a new, empty database with: "
            f"pg_restore --exit-on-error --jobs=2 --dbname=… {options['folder'] / DUMP}"
        )
