"""`make faults ARGS=20`: so many faults against a real installation; the last line says what they did to it."""

import argparse
import importlib
import sys
import time

import django

from tests.faults.world import started


def main() -> int:
    """Run a campaign and return the exit status: 0 only if nothing was doubled, lost or wrong."""
    parser = argparse.ArgumentParser(prog="make faults ARGS=", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=20)
    parser.add_argument("--seed", type=int, help="the same seed does the same faults, at nearly the same moments")
    parser.add_argument("--only", default="", help="only kinds whose name has this in it, or one of these: a,b")
    parser.add_argument("--without", choices=["fence", "history"], default="", help="to see that the judge notices")
    wanted = parser.parse_args()
    seed = time.time_ns() % 1_000_000 if wanted.seed is None else wanted.seed
    began = time.monotonic()
    with started(without=wanted.without) as world:
        django.setup()  # what follows knows the environment of this world, so it is read only now
        campaign = importlib.import_module("tests.faults.campaign")
        campaign.tell(f"seed {seed}, {wanted.count} faults" + (f", without {wanted.without}" * bool(wanted.without)))
        problems = campaign.run(world, count=wanted.count, seed=seed, only=wanted.only)
        if problems:
            campaign.tell(f"logs: {world.keep_logs()}")
    campaign.tell(f"{time.monotonic() - began:.0f} s")
    campaign.tell(campaign.total(wanted.count, problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
