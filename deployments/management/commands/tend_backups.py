"""Read the backups in the store and remove those that no rule keeps. Workers call it daily; by hand it is harmless."""

from typing import Any

from django.core.management.base import CommandError

from deployments.management.base import Command as Base
from deployments.pipelines.tending import tend_backups


class Command(Base):
    """Look after the backups in the artifacts store."""

    help = "Reads every backup in the artifacts store to its end, and removes those that no rule keeps."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Say what was found; end with an error if a backup is damaged."""
        tended = tend_backups()
        self.stdout.write(
            f"{len(tended.readable)} readable, {len(tended.damaged)} damaged, {len(tended.expired)} removed."
        )
        for backup in tended.damaged:
            self.stdout.write(f"Damaged: {backup.place}")
        if tended.unreachable:
            raise CommandError(
                f"{len(tended.unreachable)} could not be looked at, and none of them was removed. Is the folder of the "
                "store mounted, and does the configuration name every backup driver?"
            )
        if tended.damaged:
            raise CommandError("Damaged backups are no way back. Look at the disk below the artifacts store.")
