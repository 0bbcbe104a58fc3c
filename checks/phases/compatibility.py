"""What old application code can no longer do once a script has run: the schema changes before the code does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from checks.phases.breaks import judged
from checks.phases.past import Doubt, Past
from checks.recipes import kept_names

if TYPE_CHECKING:
    from checks.context import Context
    from checks.model import Schema


@dataclass(frozen=True, slots=True)
class Broken:
    """One thing that old code relies on and that is gone or refused. `statement` is its index, `line` from 1."""

    statement: int
    line: int
    words: str


@dataclass(frozen=True, slots=True)
class Compatibility:
    """Whether application code that was written for the schema before can run on the schema after.

    `breaks` is what it can no longer do, and `unknown` what nobody can tell from here, both in the order of the script.
    """

    breaks: tuple[Broken, ...] = ()
    unknown: tuple[Broken, ...] = ()

    @property
    def is_compatible(self) -> bool | None:
        """True, False, or None where nothing breaks for sure, but not everything can be told."""
        if self.breaks:
            return False
        return None if self.unknown else True


def compatibility(context: Context, *, old: Schema | None = None) -> Compatibility:
    """Return what a script takes away from code that was written for the schema `old`.

    Without `old` that is the schema before the script. When several migrations go out together, give the one before the
    first of them: what did not exist then, no old code uses.
    """
    past = Past(context, old or context.world.schema, kept_names(context))
    breaks: list[Broken] = []
    unknown: list[Broken] = []
    for index, words in _all(past):
        found = Broken(index, context.seen[index].statement.line, str(words))
        (unknown if isinstance(words, Doubt) else breaks).append(found)
    return Compatibility(tuple(breaks), tuple(unknown))


def _all(past: Past) -> Iterator[tuple[int, str]]:
    for seen in past.context.seen:
        past.take(seen)
        for change in seen.statement.changes:
            for words in judged(change, seen, past):
                yield seen.statement.index, words
