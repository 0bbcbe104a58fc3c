"""Opening a backup outside of a run: compared with its manifest, decrypted and unpacked."""

from pathlib import Path

from deployments.postgres.backup.archive import BackupUnreadable, Manifest, compare_with_manifest
from deployments.postgres.backup.packing import Damaged, unpack_all
from deployments.postgres.backup.sealing import Keys


class GoOn:
    """A `Stop` for what nobody asks to stop: it can be ended at any time, and called again."""

    cancel_requested = False

    def require_may_start(self) -> None:
        """Go on."""

    def require_may_go_on(self, place: str) -> None:
        """Go on."""

    def wait(self, seconds: float) -> None:
        """Do not wait."""

    def rest(self, seconds: float) -> None:
        """Do not rest."""


def open_backup(place: Path, *, recorded: str, into: Path, keys: Keys, jobs: int) -> Manifest:
    """Unpack the backup in a place into a new folder, and return its manifest, whose SHA-256 is `recorded`.

    Raises BackupUnreadable, what `keys` raise, and OSError.
    """
    stop = GoOn()
    manifest = compare_with_manifest(place, recorded=recorded, stop=stop)
    seal = keys.seal_of(manifest.content.get("encryption"), what=f"The backup in {place}")
    try:
        unpack_all(place, manifest.content["files"], into=into, jobs=jobs, seal=seal, stop=stop)
    except Damaged as damaged:
        raise BackupUnreadable(place=place, why=str(damaged)) from damaged
    return manifest
