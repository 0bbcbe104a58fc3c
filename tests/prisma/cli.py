"""A team's project with the real Prisma CLI beside it, installed once into a folder that git ignores."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings
from psycopg.conninfo import conninfo_to_dict

HERE = Path(__file__).parent
LISTED = ("package.json", "package-lock.json")
INSTALL = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
INSTALL_SECONDS, CALL_SECONDS = 100, 60


def installed() -> Path:
    """Return the folder of the installed packages. Skips where npm is missing; in CI that is a failure."""
    if shutil.which("npm") is None:
        assert not os.environ.get("CI"), "npm is missing, and in CI nothing is skipped"
        pytest.skip("npm is missing: the real Prisma CLI was not asked")
    content = b"".join((HERE / name).read_bytes() for name in LISTED)
    folder = settings.BASE_DIR / "var" / "prisma-cli" / hashlib.sha256(content).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the workers of pytest-xdist share the folder
        if not (folder / "ready").exists():
            for name in LISTED:
                shutil.copy(HERE / name, folder)
            told = subprocess.run(
                INSTALL, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
            )
            assert told.returncode == 0, told.stdout + told.stderr
            (folder / "ready").touch()
    return folder / "node_modules"


@dataclass(frozen=True)
class Told:
    """How a call of the CLI ended, and what it said."""

    status: int
    output: str

    @property
    def names(self) -> list[str]:
        """The migrations it listed, in its order."""
        return re.findall(r"^(?:  └─ )?(\d\w*)/?$", self.output, re.MULTILINE)


@dataclass(frozen=True)
class Project:
    """A project with its schema, its migrations, and the CLI."""

    folder: Path

    @classmethod
    def made(cls, folder: Path, packages: Path) -> "Project":
        (folder / "prisma" / "migrations").mkdir(parents=True)
        (folder / "prisma" / "migrations" / "migration_lock.toml").write_text('provider = "postgresql"\n')
        shutil.copy(HERE / "project" / "schema.prisma", folder / "prisma")
        shutil.copy(HERE / "project" / "prisma.config.ts", folder)
        (folder / "node_modules").symlink_to(packages)
        return cls(folder)

    def write(self, name: str, forward: str, rollback: str | None = "SELECT 1") -> None:
        """Write the folder of a migration."""
        folder = self.folder / "prisma" / "migrations" / name
        folder.mkdir(exist_ok=True)
        (folder / "migration.sql").write_text(forward)
        if rollback is not None:
            (folder / "rollback.sql").write_text(rollback)

    def begin(self, *command: str, conninfo: str) -> subprocess.Popen[str]:
        """Start `prisma migrate …` on a database."""
        return subprocess.Popen(
            ["node", "node_modules/prisma/build/index.js", "migrate", *command],
            cwd=self.folder,
            env=os.environ | {"DATABASE_URL": as_url(conninfo), "CHECKPOINT_DISABLE": "1", "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def migrate(self, *command: str, conninfo: str) -> Told:
        """Run `prisma migrate …` on a database to its end."""
        with stopped_at_last(self.begin(*command, conninfo=conninfo)) as process:
            return ended(process)


@contextmanager
def stopped_at_last(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Hand out a process for the length of the block, and leave none behind that waits for a lock of the test."""
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> Told:
    """Wait for a call of the CLI."""
    output, _ = process.communicate(timeout=CALL_SECONDS)
    return Told(process.returncode, output)


def as_url(conninfo: str) -> str:
    """Return a connection string in the only form that Prisma reads."""
    parts = {name: quote(str(value), safe="") for name, value in conninfo_to_dict(conninfo).items()}
    return f"postgresql://{parts['user']}:{parts['password']}@{parts['host']}:{parts['port']}/{parts['dbname']}"
