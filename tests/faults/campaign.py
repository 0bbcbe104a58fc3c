"""Faults one after the other and side by side: each with its own runs, each judged, each told in one line."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from deployments.errors import DeploymentError
from deployments.selectors.audit import check_chain
from tests.faults.cases import Case, forget_connections
from tests.faults.kinds import EARLY, LOCAL, WIDE, Kind
from tests.faults.oracle import WRONG, Problem, judge
from tests.faults.places import Places, asked
from tests.faults.shares import Share, Told
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


def run(
    world: World, share: Share, *, numbers: Sequence[int], seed: int, only: str, tell: Callable[[Told], None]
) -> None:
    """Do this world's share of the faults and tell of each.

    Those of one run go side by side, with one at a time of those that every run in the world must bear. Those after
    which the verdict of any run could be another have the world to themselves: before the others, or after them.
    """
    places = Places(world)
    chosen = list(enumerate(kinds(max(numbers), only=only, random=random.Random(seed)), start=1))  # noqa: S311 # a game
    asked_for = [one for one in chosen if one[0] in numbers]
    alone = [one for one in asked_for if one[1].alone]
    wide = [one for one in asked_for if one[1].wide and not one[1].alone]
    local = [one for one in asked_for if not one[1].wide]

    def all_of(mine: Iterable[tuple[int, Kind]]) -> None:
        for number, kind in mine:
            outcome = fault(world, places, number, kind, seed=seed)
            text = [str(outcome)]
            while world.supervisor.surprises:
                text.append(f"      note: {world.supervisor.surprises.pop(0)}")
            tell(Told("\n".join(text), Counter(one.kind for one in outcome.problems)))

    def side_by_side() -> None:
        with ThreadPoolExecutor() as lanes:
            under_way = [lanes.submit(all_of, share.of("local", local)) for _ in range(LANES)]
            under_way.append(lanes.submit(all_of, share.of("wide", wide)))
            try:
                for lane in as_completed(under_way):
                    lane.result()
            except BaseException:
                share.close()
                raise

    def one_by_one() -> None:
        all_of(share.of("alone", alone))

    for part in (one_by_one, side_by_side) if share.begins_alone else (side_by_side, one_by_one):
        part()
    if not asked(check_chain).is_whole:
        tell(Told("the audit chain is broken", Counter({WRONG: 1})))


def fault(world: World, places: Places, number: int, kind: Kind, *, seed: int) -> Outcome:
    """Do one fault and judge what came of it."""
    outcome = Outcome(number, kind)
    began = time.monotonic()
    forget_connections()
    copies = range(WIDE_CASES if kind.alone and not kind.big else 1)
    cases = [
        Case(world, places.take(f"{number}-{copy}"), random.Random(f"{seed}/{number}/{copy}"))  # noqa: S311 # the same
        for copy in copies
    ]
    for case in cases:
        case.write(slow=kind.slow, big=kind.big)
        case.plan()
    if kind.arm is not None:
        cases[0].options = kind.arm(cases[0])
    if kind.inject in EARLY:
        outcome.told = kind.inject(cases[0])
    for case in cases:
        case.start()
    if kind.inject not in EARLY:
        outcome.told = kind.inject(cases[0])
    finish(cases, kind, outcome)
    if not outcome.problems:
        for case in cases:
            places.let_go(case.place)
    outcome.seconds = time.monotonic() - began
    forget_connections()
    return outcome


def finish(cases: Sequence[Case], kind: Kind, outcome: Outcome) -> None:
    """Wait for the end of every run, judge it, and have what it left undone done by another."""
    ended = [case.wait_for_end() is not None for case in cases]
    settled = [has_ended and case.wait_for_executors() for case, has_ended in zip(cases, ended, strict=True)]
    for case in cases:
        case.end()
    for case, has_ended, is_settled in zip(cases, ended, settled, strict=True):
        problems = judge(case, ended=has_ended, settled=is_settled, ends=kind.ends, refusals=kind.refusals)
        case.job.refresh_from_db()
        of = len(case.run.plan["migrations"])
        outcome.ends.append(f"{case.job.state} {case.job.applied}/{of} by {case.job.claims} executors")
        outcome.problems += problems
        if not problems and case.job.state != "succeeded":
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
