"""What a reviewer asks of one migration, in one value: its phase, what breaks, the checklist, how it could be split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from checks.context import Context
from checks.errors import Unparsable
from checks.estimate import Estimate
from checks.model import Schema
from checks.phases import Broken, Compatibility, Phase, compatibility, phase_of, split
from checks.reviewing.checklist import Followed, checklist
from checks.reviewing.values import Item, Subject


@dataclass(frozen=True, slots=True)
class Proposed:
    """One file that a migration should be split into, in order. `lines` are where its statements begin, from 1."""

    title: str
    lines: tuple[int, ...]
    text: str
    is_alone: bool


@dataclass(frozen=True, slots=True)
class Review:
    """What is to be known of a migration besides its findings, locks and class.

    `words` say why it is of this phase. `is_compatible` says whether application code of before goes on, None where
    that is not known; `breaks` are what it can no longer do, and `unknown` what nobody can tell. `split` is () where
    it is one thing, or where that cannot be told.
    """

    phase: Phase
    words: str
    is_compatible: bool | None
    breaks: tuple[Broken, ...]
    unknown: tuple[Broken, ...]
    items: tuple[Item, ...]
    split: tuple[Proposed, ...]


def described(forward: Followed, *, old: Schema | None = None) -> Review:
    """Return what one script alone tells: everything but the checklist, which is about all files of a migration."""
    if isinstance(forward, Unparsable):
        return Review(Phase.UNKNOWN, "it cannot be read", None, (), (), (), ())
    judged = compatibility(forward, old=old)
    phased = phase_of(forward, old=old, judged=judged)
    return Review(
        phased.phase, phased.words, judged.is_compatible, judged.breaks, judged.unknown, (), proposed(forward)
    )


def review(
    subject: Subject,
    forward: Followed,
    rollback: Followed | None = None,
    *,
    estimated: Sequence[Sequence[Estimate]] | None = None,
) -> Review:
    """Return the review of a migration whose scripts were followed already. `rollback` is None where it has none."""
    found = described(forward, old=subject.old)
    judged = Compatibility(found.breaks, found.unknown)
    items = checklist(subject, forward=forward, rollback=rollback, judged=judged, estimated=estimated)
    return replace(found, items=items)


def proposed(context: Context) -> tuple[Proposed, ...]:
    """Return the files that a migration should be instead, or () where it is one thing or that cannot be told."""
    statements = context.script.statements
    return tuple(
        Proposed(one.title, tuple(statements[index].line for index in one.statements), one.text, one.is_alone)
        for one in split(context)
    )
