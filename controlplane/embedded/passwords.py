"""Passwords of the embedded servers, each in a file that only its owner may read."""

import os
import secrets
from pathlib import Path

_PASSWORD_BYTES = 32


def kept_password(path: Path) -> str:
    """Return the password in the file; on the first call one is made up and kept there."""
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    return new_password(path)


def new_password(path: Path) -> str:
    """Put a new random password into the file and return it. Its characters need no quoting in an address."""
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    write_private(path, password + "\n")
    return password


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, whole or not at all: after a crash there is the old text or the new one."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)  # whoever made it may have given it another mode
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the renames in a folder survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
