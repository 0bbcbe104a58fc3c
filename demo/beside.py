"""What is done beside a running demo: the customer's next release comes into its repository."""

import subprocess
import sys

from controlplane import local
from demo.releases import RELEASES, Release, put
from demo.stage import FOLDER, REPOSITORY


def next_release() -> Release | None:
    """Return the first release that is not in the customer's repository yet; None when all are."""
    there = {path.name for path in (REPOSITORY / "prisma" / "migrations").glob("*")}
    return next((one for one in RELEASES if not {path.name for path in one.migrations()} <= there), None)


def release() -> int:
    """Bring the next release into the repository, have Locktender read it, and return the exit status."""
    environment = local.running(FOLDER)
    if environment is None:
        sys.stderr.write("No demo runs here. Start it with `make demo`, in another terminal.\n")
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
