"""An installation of its own for one benchmark: control database, one target, executors as processes."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
import psycopg
from psycopg.conninfo import make_conninfo

from controlplane.local import ROOT, manage, product


@dataclass(frozen=True, slots=True)
class Installation:
    """What a benchmark works with. Nothing of it is left afterwards."""

    folder: Path
    target: str  # connection string of the target database
    environment: dict[str, str]

    def execute(self, job: int) -> None:
        """Run an executor to its end, as a worker would start it."""
        subprocess.run(manage("execute_job", str(job)), env=self.environment, cwd=ROOT, check=True)


@contextmanager
def started() -> Iterator[Installation]:
    """Yield a migrated installation with an empty target. Django is set up for it."""
    with tempfile.TemporaryDirectory(prefix="locktender-bench-") as place:
        folder = Path(place)
        folder.chmod(0o755)  # a server that left root must get through
        with product(folder / "local", debug=False) as (servers, environment):
            superuser = servers.postgres.superuser_url()
            with psycopg.connect(superuser, autocommit=True) as session:
                session.execute("CREATE DATABASE bench")
            target = make_conninfo(superuser, dbname="bench")
            environment |= {"BENCH_TARGET": target, "PYTHONUNBUFFERED": "1"}
            os.environ.update(environment)
            os.environ["DJANGO_SETTINGS_MODULE"] = "controlplane.settings"
            django.setup()
            yield Installation(folder, target, environment)


def say(text: str) -> None:
    """Print one line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
