"""A program of its own, run by path: becomes the given command as an ordinary user, in a user namespace of root's.

It is a separate process because a namespace cannot be entered from a process with threads, and because code
between fork and exec of such a process may hang. It keeps its process id when it becomes the command.
"""

import ctypes
import os
import sys
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_NOBODY = 65534  # any id but 0 will do; this one has a name on every system, which initdb asks for


def main(command: list[str]) -> None:
    """Replace this process by the command, as an ordinary user. Files it makes belong to root outside.

    Raises OSError if the kernel, or a container's rules, refuse the namespace.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    for name, text in (("setgroups", "deny"), ("uid_map", f"{_NOBODY} 0 1"), ("gid_map", f"{_NOBODY} 0 1")):
        Path("/proc/self", name).write_text(text, encoding="ascii")
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
