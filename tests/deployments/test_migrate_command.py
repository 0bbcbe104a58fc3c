"""Migrating the control database as its owner, and never as the application."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def migrate(**changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "manage.py", "migrate"],
        env=os.environ | changes,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_the_owner_nothing_is_migrated():
    refused = migrate(DATABASE_OWNER_URL=os.environ["DATABASE_URL"])

    assert refused.returncode == 1
    assert refused.stderr.startswith("CommandError: owner-role-missing: DATABASE_OWNER_URL is not set, or names the")
    assert "Traceback" not in refused.stderr


def test_an_owner_that_is_not_given_is_named():
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_OWNER_URL"}
    refused = subprocess.run(
        [sys.executable, ROOT / "manage.py", "migrate"], env=environment, capture_output=True, text=True, check=False
    )

    assert refused.returncode == 1
    assert "owner-role-missing" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_migrating_again_changes_nothing():
    again = migrate()

    assert again.returncode == 0
    assert "No migrations to apply." in again.stdout
