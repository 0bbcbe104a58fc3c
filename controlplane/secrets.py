"""Make the secrets of a new installation: `python -m controlplane.secrets FOLDER [UID]`, for docker-compose.yml.

Each is a file of mode 0600, which belongs to the user of that number if one is given. Nothing is ever overwritten.
"""

import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from controlplane.embedded.local import APP_ROLE, DATABASE, OWNER_ROLE
from controlplane.embedded.passwords import write_private
from deployments.errors import DeploymentError

PASSWORD_BYTES = 32
KEY_BYTES = 64
DATABASE_HOST = "postgres:5432"
REDIS_HOST = "redis:6379"


class SecretsAlreadyThere(DeploymentError):
    """The folder holds secrets that an installation may be using."""

    code = "secrets-already-there"

    def __init__(self, *, folder: Path, names: Sequence[str]) -> None:
        super().__init__(
            f"{folder} already holds {', '.join(names)}. Nothing was written: a new password would not open what the "
            "old one does. Use those, or name another folder."
        )


def new_secrets() -> dict[str, str]:
    """Return what each file holds, by name. Every call makes other ones."""
    owner, application, broker, superuser = (secrets.token_urlsafe(PASSWORD_BYTES) for _ in range(4))
    return {
        "postgres_password": superuser,
        "database_owner_url": f"postgresql://{OWNER_ROLE}:{owner}@{DATABASE_HOST}/{DATABASE}",
        "database_url": f"postgresql://{APP_ROLE}:{application}@{DATABASE_HOST}/{DATABASE}",
        "redis_auth": f"requirepass {broker}",
        "redis_url": f"redis://:{broker}@{REDIS_HOST}/0",
        "secret_key": secrets.token_urlsafe(KEY_BYTES),
    }


def write_secrets(folder: Path, *, user: int | None = None) -> None:
    """Write every secret into the folder, which is made if it is missing. Raises SecretsAlreadyThere, OSError."""
    made = new_secrets()
    if there := [name for name in made if (folder / name).exists()]:
        raise SecretsAlreadyThere(folder=folder, names=there)
    folder.mkdir(parents=True, exist_ok=True)
    for name, secret in made.items():
        write_private(folder / name, secret + "\n")
        if user is not None:
            os.chown(folder / name, user, user)


def main(arguments: Sequence[str]) -> int:
    """Write them, and return the exit status."""
    match list(arguments):
        case [folder]:
            write_secrets(Path(folder))
        case [folder, user] if user.isdecimal():
            write_secrets(Path(folder), user=int(user))
        case _:
            sys.stderr.write("usage: python -m controlplane.secrets FOLDER [UID]\n")
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except DeploymentError as refusal:
        sys.exit(f"{refusal.code}: {refusal}")
