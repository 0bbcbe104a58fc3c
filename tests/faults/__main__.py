"""`make faults ARGS=20`: so many faults against real installations; the last line says what they did to them."""

import argparse
import importlib
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import django

from tests.faults.shares import Share, Told, in_worlds
from tests.faults.world import LOGS, prepared, started

WORLDS = 2  # one begins with the faults that need a world to themselves, the other with those that go side by side
FEW = 10  # faults for which a second world is not worth its start


def main() -> int:
    """Run a campaign and return the exit status: 0 only if nothing was doubled, lost or wrong."""
    parser = argparse.ArgumentParser(prog="make faults ARGS=", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=20)
    parser.add_argument("--seed", type=int, help="the same seed does the same faults, at nearly the same moments")
    parser.add_argument("--case", type=int, help="only the fault of this number among those of the seed")
    parser.add_argument("--only", default="", help="only kinds whose name has this in it, or one of these: a,b")
    parser.add_argument("--without", choices=["fence", "history"], default="", help="to see that the judge notices")
    parser.add_argument("--worlds", type=int, help="installations side by side")
    wanted = parser.parse_args()
    seed = time.time_ns() % 1_000_000 if wanted.seed is None else wanted.seed
    numbers = range(1, wanted.count + 1) if wanted.case is None else range(wanted.case, wanted.case + 1)
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # the worlds are to end with us
    tell(f"seed {seed}, {len(numbers)} faults" + (f", without {wanted.without}" * bool(wanted.without)))
    problems: Counter[str] = Counter()
    with prepared() as place:

        def live(name: str, share: Share, told: Callable[[Told], None]) -> None:
            in_world(place, name, share, told, numbers=numbers, seed=seed, wanted=wanted)

        for one in in_worlds(wanted.worlds or (WORLDS if len(numbers) > FEW else 1), live):
            tell(one.text)
            problems += one.problems
    if problems:
        tell(f"logs: {LOGS}")
    tell(f"{time.monotonic() - began:.0f} s")
    tell(total(len(numbers), problems))
    return 1 if problems else 0


def in_world(
    place: Path,
    name: str,
    share: Share,
    told: Callable[[Told], None],
    *,
    numbers: range,
    seed: int,
    wanted: argparse.Namespace,
) -> None:
    """Do a share of the faults in a world of its own, and keep its logs if there were problems."""
    problems: Counter[str] = Counter()

    def tell_and_count(one: Told) -> None:
        problems.update(one.problems)
        told(one)

    with started(place, name, without=wanted.without) as world:
        django.setup()  # what follows knows the environment of this world, so it is read only now
        campaign = importlib.import_module("tests.faults.campaign")
        try:
            campaign.run(world, share, numbers=numbers, seed=seed, only=wanted.only, tell=tell_and_count)
        finally:
            if problems:
                world.keep_logs()


def tell(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def total(count: int, problems: Counter[str]) -> str:
    """Return the last line."""
    doubled, lost, wrong = (problems[kind] for kind in ("doubled", "lost", "wrong verdicts"))
    return f"{count} faults: {doubled} doubled, {lost} lost, {wrong} wrong verdicts"


if __name__ == "__main__":
    sys.exit(main())
