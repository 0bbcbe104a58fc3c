"""Faults one after the other and side by side: each with its own runs, each judged, each told in one line."""

import random
import sys
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from deployments.errors import DeploymentError
from deployments.selectors.audit import check_chain
from tests.faults.cases import Case, Places, asked, forget_connections
from tests.faults.kinds import EARLY, LOCAL, WIDE, Kind
from tests.faults.oracle import DOUBLED, LOST, WRONG, Problem, judge
from tests.faults.world import World

LANES = 3  # faults that disturb nobody else go side by side
WIDE_CASES = 2  # runs under one fault that needs the whole world to itself


@dataclass
class Outcome:
    """One fault and what came of it."""

    number: int
    kind: Kind
    told: str = ""
    ends: list[str] = field(default_factory=list)
    seconds: float = 0.0
    problems: list[Problem] = field(default_factory=list)

    def __str__(self) -> str:
        verdict = "ok" if not self.problems else "WRONG"
        line = (
            f"{self.number:4}  {self.kind.name:28} {self.told}; {', '.join(self.ends)}; {self.seconds:.1f} s  {verdict}"
        )
        return "\n".join([line, *(f"      {one.kind}: {one.text}" for one in self.problems)])


def kinds(count: int, *, only: str, random: random.Random) -> list[Kind]:
    """Return so many kinds: every kind once before any comes again."""
    deck = [kind for kind in (*LOCAL, *WIDE) if any(part in kind.name for part in only.split(","))]
    chosen: list[Kind] = []
    while len(chosen) < count:
        chosen += random.sample(deck, k=len(deck))
    return chosen[:count]


def run(world: World, *, count: int, seed: int, only: str) -> Counter[str]:
    """Do the faults, tell of each, and return how many problems of each kind there were.

    Those of one run go side by side, with one at a time of those that every run must bear; then, one after the other,
    those after which the verdict of any run could be another.
    """
    places = Places(world)
    problems: Counter[str] = Counter()
    chosen = list(enumerate(kinds(count, only=only, random=random.Random(seed)), start=1))  # noqa: S311 # a game
    lanes, wide = ThreadPoolExecutor(LANES), ThreadPoolExecutor(1)

    def begun(numbered: tuple[int, Kind]) -> Future[Outcome]:
        number, kind = numbered
        return (wide if kind.wide else lanes).submit(fault, world, places, number, kind, seed=seed)

    try:
        for is_alone in (False, True):
            under_way = [begun(one) for one in chosen if one[1].alone is is_alone]
            for done in as_completed(under_way):
                outcome = done.result()
                problems.update(one.kind for one in outcome.problems)
                tell(str(outcome))
                while world.supervisor.surprises:
                    tell(f"      note: {world.supervisor.surprises.pop(0)}")
    finally:
        for pool in (lanes, wide):
            pool.shutdown(wait=False, cancel_futures=True)
    if not asked(check_chain).is_whole:
        problems[WRONG] += 1
        tell("the audit chain is broken")
    return problems


def fault(world: World, places: Places, number: int, kind: Kind, *, seed: int) -> Outcome:
    """Do one fault and judge what came of it."""
    outcome = Outcome(number, kind)
    began = time.monotonic()
    forget_connections()
    taken = [places.take() for _ in range(WIDE_CASES if kind.alone else 1)]
    cases = [
        Case(world, place, random.Random(f"{seed}/{number}/{copy}"))  # noqa: S311 # the same
        for copy, place in enumerate(taken)
    ]
    for case in cases:
        case.write(slow=kind.slow, big=kind.big)
        case.plan()
    if kind.arm is not None:
        cases[0].arm(*kind.arm(cases[0]))
    if kind.inject in EARLY:
        outcome.told = kind.inject(cases[0])
    for case in cases:
        case.start()
    if kind.inject not in EARLY:
        outcome.told = kind.inject(cases[0])
    for case in cases:
        finish(case, kind, outcome)
    if not outcome.problems and not kind.big:  # nobody is to dump so much in every run after it
        for case in cases:
            places.give_back(case.place)
    outcome.seconds = time.monotonic() - began
    forget_connections()
    return outcome


def finish(case: Case, kind: Kind, outcome: Outcome) -> None:
    """Wait for the end of a run, judge it, and have what it left undone done by another."""
    ended = case.wait_for_end() is not None
    settled = ended and case.wait_for_executors()
    case.end()
    outcome.problems += judge(case, ended=ended, settled=settled, ends=kind.ends, refusals=kind.refusals)
    case.job.refresh_from_db()
    of = len(case.run.plan["migrations"])
    outcome.ends.append(f"{case.job.state} {case.job.applied}/{of} by {case.job.claims} executors")
    if not outcome.problems and case.job.state != "succeeded":
        do_the_rest(case, outcome)


def do_the_rest(case: Case, outcome: Outcome) -> None:
    """After a cancelled or failed run the remainder must go through, undisturbed."""
    rest = Case(case.world, case.place, case.random)
    try:
        rest.plan()
        rest.start()
    except DeploymentError as refusal:
        outcome.problems.append(Problem(WRONG, f"the remainder is refused: {refusal}"))
        return
    ended = rest.wait_for_end() is not None
    settled = ended and rest.wait_for_executors()
    nothing: frozenset[str] = frozenset()
    problems = judge(rest, ended=ended, settled=settled, ends=frozenset({"succeeded"}), refusals=nothing)
    outcome.problems += [Problem(one.kind, f"the remainder: {one.text}") for one in problems]
    outcome.ends.append("the remainder " + ("succeeded" if not problems else "did not"))


def tell(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def total(count: int, problems: Counter[str]) -> str:
    """Return the last line."""
    return f"{count} faults: {problems[DOUBLED]} doubled, {problems[LOST]} lost, {problems[WRONG]} wrong verdicts"
