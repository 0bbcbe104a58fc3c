"""Under which identity a server runs: PostgreSQL refuses root, so root must become someone else."""

import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from controlplane.embedded.errors import CannotLeaveRoot

_ACCOUNTS = ("postgres", "nobody")  # names, because PostgreSQL asks the system for the name of its user
# Not Python: our own interpreter may itself be closed to the account.
_PROBE = ("/bin/sh", "-c", 'for path; do test -x "$path" || exit 1; done', "probe")
_PROBE_TIMEOUT_SECONDS = 20.0
_PYTHON = (sys.executable, "-I", "-S")  # nothing of the environment or of site-packages


class PopenIdentity(TypedDict, total=False):
    """The keyword arguments of subprocess that change the user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Identity:
    """How a child process gets its user: a prefix of its command, or arguments of subprocess, or neither."""

    prefix: tuple[str, ...] = ()
    owner: tuple[int, int] | None = None  # user and group its files must belong to; None: leave them alone
    switches: bool = False  # to the owner, by subprocess

    @property
    def popen(self) -> PopenIdentity:
        """The keyword arguments for subprocess.Popen."""
        if not self.switches or self.owner is None:
            return {}
        user, group = self.owner
        return {"user": user, "group": group, "extra_groups": []}

    def take(self, path: Path) -> None:
        """Give a file, or a folder with all that is in it, to this identity. Links are not followed."""
        if self.owner is None or os.lstat(path).st_uid == self.owner[0]:
            return
        for folder, folders, files in os.walk(path):
            for name in (*folders, *files):
                os.lchown(Path(folder, name), *self.owner)
        # The top comes last: it is what the next call looks at, should this one be cut short.
        os.lchown(path, *self.owner)


CALLER = Identity()
"""The identity of this process, whatever it is."""


def unprivileged(*paths: Path) -> Identity:
    """Return the identity for a server that refuses root and must be able to enter every one of `paths`.

    A normal user stays itself. Root becomes the account postgres or nobody; where a parent folder is closed
    to both (a checkout in root's home), it becomes an ordinary user in a user namespace, to whom root's own
    folders are open.

    Raises CannotLeaveRoot if root has neither way.
    """
    if os.geteuid() != 0:
        return CALLER
    namespace = Identity(prefix=(*_PYTHON, str(Path(__file__).with_name("namespace.py"))), owner=(0, 0))
    for identity in (*_accounts(), namespace):
        if _may_enter(identity, paths):
            return identity
    raise CannotLeaveRoot(paths=paths)


def _accounts() -> list[Identity]:
    found = []
    for name in _ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue  # not every system has both
        found.append(Identity(owner=(entry.pw_uid, entry.pw_gid), switches=True))
    return found


def _may_enter(identity: Identity, paths: Sequence[Path]) -> bool:
    """Try it with a real process: permission bits alone miss access lists and forbidden namespaces."""
    try:
        probe = subprocess.run(
            [*identity.prefix, *_PROBE, *map(str, paths)],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            timeout=_PROBE_TIMEOUT_SECONDS,
            **identity.popen,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return probe.returncode == 0
