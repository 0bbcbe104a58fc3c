"""Worlds side by side, each a process of its own: how they share the faults, and what they tell of them."""

import multiprocessing
import queue
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
PROCESSES = multiprocessing.get_context("fork")
PARTS = ("local", "wide", "alone")
LOOK_SECONDS = 1.0
CLOSED = 2**30


@dataclass(frozen=True)
class Told:
    """What there is to say of a fault, and how many problems of which kind it has."""

    text: str
    problems: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Share:
    """What one world does of the faults: whatever is left when it has time."""

    taken: dict[str, Any]  # how many of each part, shared by all worlds
    begins_alone: bool  # with the faults that need a world to themselves

    def of(self, part: str, faults: Sequence[T]) -> Iterator[T]:
        """Yield what no other world has taken, until nothing is left. Every world passes the same faults."""
        while True:
            with self.taken[part].get_lock():
                place = self.taken[part].value
                self.taken[part].value += 1
            if place >= len(faults):
                return
            yield faults[place]

    def close(self) -> None:
        """Leave nothing to anybody: what is under way is the last."""
        for taken in self.taken.values():
            taken.value = CLOSED


def in_worlds(count: int, live: Callable[[str, Share, Callable[[Told], None]], None]) -> Iterator[Told]:
    """Run a function in so many processes, each with the name of its world and its share, and yield what they tell.

    Raises RuntimeError if one of them ends otherwise than by returning.
    """
    taken = {part: PROCESSES.Value("i", 0) for part in PARTS}
    told = PROCESSES.Queue()
    shares = {f"world-{number}": Share(taken, begins_alone=number == count > 1) for number in range(1, count + 1)}
    worlds = [PROCESSES.Process(name=name, target=live, args=(name, share, told.put)) for name, share in shares.items()]
    for world in worlds:
        world.start()
    try:
        over = False
        while not over:
            over = all(world.exitcode is not None for world in worlds)
            with suppress(queue.Empty):
                while True:
                    yield told.get(timeout=0 if over else LOOK_SECONDS)
    finally:
        for world in worlds:
            world.terminate()  # of one that has ended nothing comes
            world.join()
    if failed := [world.name for world in worlds if world.exitcode]:
        raise RuntimeError(f"{', '.join(failed)} did not come to the end")
