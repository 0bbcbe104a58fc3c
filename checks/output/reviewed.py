"""The review of a migration in words: short for what is fine, plain for what is open."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from checks.lock_rows import LockRow
from checks.output.judged import Outcome
from checks.phases import Phase
from checks.reviewing.review import Proposed, Review
from checks.reviewing.values import Item, ItemOutcome
from checks.words import listed


@dataclass(frozen=True, slots=True)
class Open:
    """What is not met, or not known, of a checklist. Items that lack for the same reason are one."""

    outcome: ItemOutcome
    titles: tuple[str, ...]
    words: str
    evidence: tuple[str, ...]

    @property
    def title(self) -> str:
        """The titles as one; what is to be written down is said to be that once."""
        end = " written down"
        if not all(one.endswith(end) for one in self.titles):
            return listed(self.titles)
        first, *others = (one.removesuffix(end) for one in self.titles)
        return listed([first, *(one[:1].lower() + one[1:] for one in others)]) + end


PHASES = {Phase.NEITHER: "neither expand nor contract", Phase.MIXED: "mixed phases", Phase.UNKNOWN: "phase not known"}
"""How a phase is called where its own name does not say it."""

MOST_EVIDENCE = 6  # pieces that are shown of one item

_SAID = frozenset({"compatible", "performance"})  # with the phase, and in the lock table


def in_short(review: Review) -> str:
    """Return the phase, why it is that one, and what becomes of old code, as one sentence."""
    said = f"{PHASES.get(review.phase, review.phase)}: {review.words}"
    if review.is_compatible and review.phase in {Phase.EXPAND, Phase.NEITHER}:
        return said  # its words say so
    goes_on = {True: "old code goes on", False: "old code breaks", None: "whether old code breaks is not known"}
    return f"{said}; {goes_on[review.is_compatible]}"


def breaks_of(review: Review) -> Iterator[str]:
    """Yield what old code can no longer do, and what cannot be told, each with its line."""
    yield from (f"line {one.line}: {one.words}" for one in review.breaks)
    yield from (f"line {one.line}: not known: {one.words}" for one in review.unknown)


def count_met(review: Review) -> str:
    """Return how many items of the checklist are met: `6 of 10 met`."""
    return f"{sum(one.outcome is ItemOutcome.MET for one in review.items)} of {len(review.items)} met"


def opened(review: Review, *, without: Collection[Item] = ()) -> tuple[Open, ...]:
    """Return what is open of a checklist, what is not met first. `without` is what is said elsewhere."""
    return opened_of([one for one in review.items if one not in without])


def opened_of(items: Iterable[Item]) -> tuple[Open, ...]:
    """Return what is open of these items. What stands with the phase or in the lock table is no evidence again."""
    found: dict[tuple[ItemOutcome, str, tuple[str, ...]], list[str]] = {}
    for one in items:
        if one.outcome is not ItemOutcome.MET:
            evidence = () if one.code in _SAID else one.evidence
            found.setdefault((one.outcome, one.words, evidence), []).append(one.title)
    every = [Open(outcome, tuple(titles), words, evidence) for (outcome, words, evidence), titles in found.items()]
    return tuple(sorted(every, key=lambda one: one.outcome is not ItemOutcome.NOT_MET))


def everywhere(outcome: Outcome) -> tuple[Item, ...]:
    """Return the items that are open for the same reason in every one of several migrations: they are said once."""
    first, *others = [one.review.items for one in outcome.judged if one.review and one.review.items] or [()]
    if not others:
        return ()
    return tuple(one for one in first if one.outcome is not ItemOutcome.MET and all(one in items for items in others))


def place_of(proposed: Proposed) -> str:
    """Return which statements belong to a proposed file: `lines 1 and 4`, and how it has to run."""
    lines = listed([str(one) for one in proposed.lines], most=8)
    alone = ", alone and without a transaction" if proposed.is_alone else ""
    return f"line{'s' if len(proposed.lines) > 1 else ''} {lines}{alone}"


def quiet_lines(rows: Collection[LockRow]) -> Iterator[tuple[str, LockRow]]:
    """Yield locks that stop neither reads nor writes, those that say the same once, each with its lines in words."""
    found: dict[tuple[str, ...], list[LockRow]] = {}
    for row in rows:
        found.setdefault((row.relation, row.mode, row.blocks, row.cost, row.because), []).append(row)
    for same in found.values():
        lines = list(dict.fromkeys(str(one.line) for one in same))
        yield f"line{'s' if len(lines) > 1 else ''} {listed(lines, most=4)}", same[0]
