"""What is done beside a running demo: the customer's next release comes, or what runs a backfill is killed."""

import json
import os
import subprocess
import sys

import django

from controlplane import local
from demo.releases import RELEASES, Release, put
from demo.stage import BESIDE, FOLDER, REPOSITORY
from demo.teller import StoryBroken, Teller

NO_DEMO = "No demo runs here. Start it with `make demo`, in another terminal.\n"


def next_release() -> Release | None:
    """Return the first release that is not in the customer's repository yet; None when all are."""
    there = {path.name for path in (REPOSITORY / "prisma" / "migrations").glob("*")}
    return next((one for one in RELEASES if not {path.name for path in one.migrations()} <= there), None)


def release() -> int:
    """Bring the next release into the repository, have Locktender read it, and return the exit status."""
    environment = local.running(FOLDER)
    if environment is None:
        sys.stderr.write(NO_DEMO)
        return 1
    coming = next_release()
    if coming is None:
        sys.stdout.write("Every release is in the repository. The next `make demo` begins anew.\n")
        return 0
    put(coming, REPOSITORY)
    sys.stdout.write(f"Release {coming.version}: {coming.title}\n")
    sys.stdout.flush()
    synced = subprocess.run(
        local.manage("sync", "loyalty", "--as", "dana"), env=environment, cwd=local.ROOT, check=False
    )
    if not synced.returncode:
        sys.stdout.write(
            "Next: dana asks for a run on loyalty/staging and starts it; then for one on loyalty/production, which\n"
            "pia approves, and mika too if its class is high-risk. `make demo` printed where, and how to sign in.\n"
        )
    return synced.returncode


def kill() -> int:
    """Kill what runs the backfill that waits or runs, tell what becomes of it, and return the exit status."""
    environment, told = local.running(FOLDER), FOLDER / BESIDE
    if environment is None or not told.exists():
        sys.stderr.write(NO_DEMO)
        return 1
    os.environ.update(environment, DJANGO_SETTINGS_MODULE="controlplane.settings")
    django.setup()
    from demo.desk import Desk  # noqa: PLC0415 - its models need Django to be set up
    from demo.killing import Killing, backfill  # noqa: PLC0415

    run, here, teller = backfill(), json.loads(told.read_text()), Teller()
    if run is None:
        sys.stderr.write("No backfill waits or runs: it was done already. The next `make demo` begins anew.\n")
        return 1
    try:
        desk = Desk(here["url"], teller, password=here["password"])
        Killing(desk, teller, here["production"], here["pid"]).tell(run)
    except StoryBroken as broken:
        sys.stderr.write(f"{broken}\nWhat the processes said is in {FOLDER}.\n")
        return 1
    return 0
