"""The artifacts store: one folder that every worker writes. A place in it is complete, or it is not there."""

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deployments.errors import DeploymentError

PARTIAL = ".tmp"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
PROBE = b"locktender"


class ArtifactsNotWritable(DeploymentError):
    """Nothing can be kept in the artifacts store."""

    code = "artifacts-not-writable"

    def __init__(self, *, folder: Path, reason: str) -> None:
        super().__init__(
            f"The artifacts store {folder} cannot be written: {reason}. Nothing was kept, and no target was changed "
            "for it. Mount the folder and let the worker's user write there, then ask for a new run."
        )


class ArtifactsFull(DeploymentError):
    """The artifacts store has no more room, or a limit of this process was reached."""

    code = "artifacts-full"

    def __init__(self, *, folder: Path, reason: str) -> None:
        super().__init__(
            f"The artifacts store {folder} took no more: {reason}. What was written of this backup was removed, and "
            "the target was not changed. Make room, or raise the quota or the limit of the worker, then ask for a new "
            "run."
        )


class PlaceOutside(DeploymentError):
    """A place was named that is not inside of the artifacts store."""

    code = "artifact-place-outside"

    def __init__(self, *, place: str) -> None:
        super().__init__(
            f"{place!r} is no place inside of the artifacts store. Nothing was read or written there. "
            "Look at who named it: places are made by Locktender alone."
        )


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The store below one folder. Only the worker's user can read it: it holds production data."""

    root: Path

    def require_writable(self) -> None:
        """Write, sync, rename, read back and remove a probe; the folder is made if it is missing, not its parents.

        Raises ArtifactsNotWritable, ArtifactsFull.
        """
        with self._told():
            self._make_root()
            probe = self.root / f".probe-{uuid.uuid4()}"
            try:
                self._write_probe(probe)
            finally:
                for left in (probe, probe.with_suffix(PARTIAL)):
                    left.unlink(missing_ok=True)

    def _write_probe(self, probe: Path) -> None:
        partial = probe.with_suffix(PARTIAL)
        partial.write_bytes(PROBE)
        _sync(partial)
        partial.rename(probe)
        _sync(self.root)
        if probe.read_bytes() != PROBE:
            raise ArtifactsNotWritable(folder=self.root, reason="a file there reads differently than it was written")

    def free_bytes(self) -> int:
        """Return how many bytes the worker's user may still write there. Raises ArtifactsNotWritable."""
        with self._told():
            return shutil.disk_usage(self.root).free

    def path(self, place: str) -> Path:
        """Return the folder of a place, such as `run-12/job-34/fence-56`. Raises PlaceOutside."""
        steps = PurePosixPath(place)
        if steps.is_absolute() or not steps.parts or ".." in steps.parts or "\0" in place:
            raise PlaceOutside(place=place)
        folder = self.root / steps
        if not folder.resolve().is_relative_to(self.root.resolve()):  # a link that leads elsewhere
            raise PlaceOutside(place=place)
        return folder

    @contextmanager
    def writing(self, place: str) -> Iterator[Path]:
        """Give a folder to write in for the block. After it all of it is on the disk and in its place, or nothing is.

        What the system refuses in the block is told as ArtifactsNotWritable or ArtifactsFull. Raises PlaceOutside.
        """
        final = self.path(place)
        partial = final.with_name(final.name + PARTIAL)
        with self._told():
            self._make_root()
            _make_folders(partial, below=self.root)
            try:
                yield partial
                _sync_all(partial)
                partial.rename(final)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise
            for folder in final.parents:
                _sync(folder)
                if folder == self.root:
                    break

    def complete(self, under: str) -> list[str]:
        """Return the complete places directly below a place, newest first.

        Raises ArtifactsNotWritable, PlaceOutside.
        """
        with self._told():
            folder = self.path(under)
            if not folder.is_dir():
                return []
            found = [child for child in folder.iterdir() if child.is_dir() and child.suffix != PARTIAL]
            newest_first = sorted(found, key=lambda child: child.stat().st_mtime_ns, reverse=True)
            return [f"{under}/{child.name}" for child in newest_first]

    def remove_partial(self, under: str) -> int:
        """Remove what attempts that died left unfinished directly below a place; return how many there were."""
        with self._told():
            partial = list(self.path(under).glob(f"*{PARTIAL}"))
        for folder in partial:
            shutil.rmtree(folder, ignore_errors=True)
        return len(partial)

    def remove(self, place: str) -> None:
        """Remove a place. Raises PlaceOutside, ArtifactsNotWritable."""
        with self._told():
            shutil.rmtree(self.path(place))

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            refusal = ArtifactsFull if error.errno in FULL else ArtifactsNotWritable
            raise refusal(folder=self.root, reason=error.strerror or type(error).__name__) from error

    def _make_root(self) -> None:
        self.root.mkdir(mode=0o700, exist_ok=True)


def _make_folders(folder: Path, *, below: Path) -> None:
    """Make a new folder, and those between it and the store, for the worker's user alone. Raises OSError."""
    between = folder.relative_to(below).parents
    for parent in reversed(between[:-1]):
        (below / parent).mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(mode=0o700)


def _sync_all(folder: Path) -> None:
    """Bring every file and folder below a folder, and itself, to the disk."""
    for place, _, names in os.walk(folder, topdown=False):
        for name in names:
            _sync(Path(place, name))
        _sync(Path(place))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
