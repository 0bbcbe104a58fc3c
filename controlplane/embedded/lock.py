"""The lock that gives a folder of servers one owner at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controlplane.embedded.errors import AlreadyStarted, FolderNotOurs


@contextmanager
def refuse_what_is_not_ours(folder: Path) -> Iterator[None]:
    """Say in words that a folder was taken by another user: by root, mostly, who started here once.

    Raises FolderNotOurs for a PermissionError of the block.
    """
    try:
        yield
    except PermissionError as problem:
        raise FolderNotOurs(folder=folder, path=str(problem.filename or folder)) from problem


class FolderLock:
    """A lock on a file, held until released or until this process ends, however it ends.

    The kernel drops it with the process, so a crash needs no repair; the servers do not inherit it.
    """

    def __init__(self, path: Path) -> None:
        """Prepare the lock; nothing is taken yet."""
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; nothing happens if this object holds it already.

        Raises AlreadyStarted, with the holder's process id, if someone else does.
        """
        if self._descriptor is not None:
            return
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            holder = os.read(descriptor, 20).strip()
            os.close(descriptor)
            raise AlreadyStarted(
                folder=self._path.parent, holder_pid=int(holder) if holder.isdigit() else None
            ) from held
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go. The file stays: removing it would let two processes lock two files of the same name."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None
