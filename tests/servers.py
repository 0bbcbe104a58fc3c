"""The servers of a test run: one PostgreSQL and one Redis, started once, shared by all workers of pytest-xdist.

A plug-in and not a conftest, because Django's settings are read before conftests are.
"""

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from controlplane.embedded import AlreadyStarted, LocalServers, PostgresNotFound, ProgramUnusable
from controlplane.embedded.binaries import PostgresBinaries, find_postgres, postgres_places

ROOT = Path(__file__).resolve().parent.parent
MEMORY = Path("/dev/shm")  # noqa: S108 # a database is cloned here in 20 ms; on a disk it takes up to 160
ROOM_BYTES = 4 * 2**30
SUPERUSER_URL = "LOCKTENDER_TEST_SUPERUSER_URL"
MAJOR = "LOCKTENDER_TEST_MAJOR"
"""The major version of PostgreSQL that the tests run on, such as "15"; by default the newest there is."""
MORE = "LOCKTENDER_TEST_POSTGRES"
"""Further folders with the programs of a version, such as those of unpacked packages, with colons between them."""
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "max_prepared_transactions": "20",
}
SCRAM_ITERATIONS_SINCE = 16
QUICK_SIGN_IN = {"scram_iterations": "1"}  # for passwords set from now on: thousands of sessions sign in, at 3 ms each

started = ExitStack()

# Hundreds of processes of a run read the same modules: compiling them anew takes more than half of a start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests() -> None:
    """Start the servers in the first process; the workers inherit where they are."""
    if SUPERUSER_URL in os.environ:
        return
    remove_leftovers()
    folder = place() / str(os.getpid())
    started.callback(shutil.rmtree, folder)
    binaries = asked_for(int(os.environ[MAJOR])) if os.environ.get(MAJOR) else find_postgres()
    settings = SETTINGS | (QUICK_SIGN_IN if binaries.major >= SCRAM_ITERATIONS_SINCE else {})
    servers = started.enter_context(LocalServers(folder, given={}, settings=settings, binaries=binaries, durable=False))
    os.environ |= servers.environment() | {
        "SECRET_KEY": "of-tests-only",
        "ARTIFACTS": str(folder / "artifacts"),
        "HEALTH_NETWORKS": '["127.0.0.0/8"]',
        "HEALTH_INTERVAL": "0.05",
        SUPERUSER_URL: servers.postgres.superuser_url(),
    }
    sign_in_quickly(servers.postgres.superuser_url())
    subprocess.run([sys.executable, ROOT / "manage.py", "migrate", "--verbosity=0"], check=True)
    for template in (servers.postgres.superuser_url("template1"), os.environ["DATABASE_URL"]):
        open_once(template)


def binaries_of(major: int) -> PostgresBinaries | None:
    """Return the programs of this version, or None if the machine has none."""
    given = [Path(one) for one in os.environ.get(MORE, "").split(os.pathsep) if one]
    for folder in (*given, *postgres_places()):
        try:
            found = find_postgres([folder])
        except (PostgresNotFound, ProgramUnusable):
            continue
        if found.major == major:
            return found
    return None


def asked_for(major: int) -> PostgresBinaries:
    """Return the programs of this version. Ends the test run if the machine has none: it was asked for."""
    if (found := binaries_of(major)) is None:
        raise pytest.UsageError(f"{MAJOR}={major}, and this machine has no PostgreSQL {major}")
    return found


@pytest.hookimpl(tryfirst=True)  # before xdist's own answer, or it would never be asked
def pytest_xdist_auto_num_workers() -> int | None:
    """Return how many workers `-n auto` is: twice as many as processors, because many tests wait for a server."""
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None
    return 2 * len(os.sched_getaffinity(0))


def pytest_unconfigure() -> None:
    """Stop what this process started."""
    started.close()


def open_once(template: str) -> None:
    """Have the server write down what every first session in a database reads: copies of this one have it then."""
    psycopg.connect(template).close()


def sign_in_quickly(url: str) -> None:
    """Set the superuser's password again: the server was made before its setting of iterations held."""
    with psycopg.connect(url) as connection:
        word = sql.Literal(connection.info.password)
        connection.execute(sql.SQL("ALTER ROLE CURRENT_USER PASSWORD {}").format(word))


def place() -> Path:
    """Return where test servers keep their data: in memory if there is room."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
        return MEMORY / f"locktender-test-{os.getuid()}"
    return ROOT / "var" / "test"


def remove_leftovers() -> None:
    """Stop and remove the servers of test runs that were killed. Those of a live one are locked, and left alone."""
    for folder in place().glob("*"):
        with suppress(AlreadyStarted):
            with LocalServers(folder, given={}, binaries=written_by(folder / "postgres"), durable=False):
                pass
            shutil.rmtree(folder)


def written_by(data: Path) -> PostgresBinaries | None:
    """Return the programs of the version that wrote this data; None where there is none."""
    version = data / "PG_VERSION"
    return binaries_of(int(version.read_text())) if version.exists() else None
