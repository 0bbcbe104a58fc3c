"""The review checklist of a migration policy as results: each with what was looked at, never a box to tick."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from checks.changes import Verb
from checks.context import Context, World
from checks.errors import CheckError, Unparsable
from checks.estimate import Estimate, estimates
from checks.integrity.questions import expectations
from checks.model import Name
from checks.names import unqualified
from checks.outside import Untold
from checks.phases import Compatibility, compatibility, split
from checks.report import follow
from checks.reviewing.notes import ASKED, missing
from checks.reviewing.values import Item, ItemOutcome, Subject
from checks.reviewing.way_back import judge_way_back
from checks.statements import Statement, parse
from checks.transactions import aim_in, is_mixed, is_one_transaction
from checks.words import listed, span_words

Followed = Context | Unparsable
"""A script with what each of its statements does, or why it cannot be read."""


@dataclass(frozen=True, slots=True)
class _Review:
    """The subject with its scripts followed, and what else was found out of them already."""

    subject: Subject
    forward: Followed
    rollback: Followed | None
    judged: Compatibility | None
    estimated: Sequence[Sequence[Estimate]] | None


def checklist(
    subject: Subject,
    *,
    forward: Followed | None = None,
    rollback: Followed | None = None,
    judged: Compatibility | None = None,
    estimated: Sequence[Sequence[Estimate]] | None = None,
) -> tuple[Item, ...]:
    """Return the items of the checklist, always all of them, in the order a reviewer reads them. Never raises.

    What was followed, judged and estimated before of these scripts can be given; the rest is found out here.
    """
    forward = forward or _followed(subject.files.forward, subject.world)
    if rollback is None and subject.files.rollback is not None:
        after = subject.world if isinstance(forward, Unparsable) else _after(forward)
        rollback = _followed(subject.files.rollback, after)
    review = _Review(subject, forward, rollback, judged, estimated)
    return tuple(Item(code, title, *ask(review)) for code, title, ask in _ITEMS)


_Answer = tuple[ItemOutcome, str, tuple[str, ...]]


def _followed(script: bytes, world: World) -> Followed:
    try:
        return follow(parse(_text(script)), world)
    except Unparsable as refused:
        return refused


def _after(context: Context) -> World:
    world = context.world
    return World(context.after, world.version, world.wraps_in_transaction, world.rates)


def _text(script: bytes) -> str:
    return script.decode("utf-8", errors="replace")


def _unread(refused: Unparsable) -> _Answer:
    return ItemOutcome.NOT_KNOWN, "The migration cannot be read.", (str(refused),)


def _present(review: _Review) -> _Answer:
    if isinstance(review.forward, Unparsable):
        return ItemOutcome.NOT_MET, "The migration cannot be read.", (str(review.forward),)
    count = len(review.forward.seen)
    if not count:
        return ItemOutcome.NOT_MET, "The file holds no statement.", ()
    return ItemOutcome.MET, f"{count} statement{'s' * (count > 1)} in {_path(review, 'forward')}.", ()


def _path(review: _Review, part: str) -> str:
    return review.subject.files.paths.get(part, f"the {part} script")


def _compatible(review: _Review) -> _Answer:
    if isinstance(review.forward, Unparsable):
        return _unread(review.forward)
    judged = review.judged or compatibility(review.forward, old=review.subject.old)
    breaks = tuple(f"line {one.line}: {one.words}" for one in judged.breaks)
    doubts = tuple(f"line {one.line}: not known: {one.words}" for one in judged.unknown)
    if judged.breaks and review.subject.contracts:
        expands = listed([one.expand for one in review.subject.contracts])
        outcome = {True: ItemOutcome.MET, False: ItemOutcome.NOT_MET, None: ItemOutcome.NOT_KNOWN}[
            review.subject.is_ready
        ]
        words = {
            ItemOutcome.MET: f"It takes away what {expands} replaced, and no application that needs it is left.",
            ItemOutcome.NOT_MET: f"It takes away what {expands} replaced, too early.",
            ItemOutcome.NOT_KNOWN: f"It takes away what {expands} replaced; whether it is time was not looked at.",
        }
        return outcome, words[outcome], breaks + doubts
    if judged.is_compatible is None:
        return ItemOutcome.NOT_KNOWN, "Nothing breaks for sure, but not everything can be told.", doubts
    if judged.breaks:
        return ItemOutcome.NOT_MET, "Application code of before fails after it.", breaks + doubts
    return ItemOutcome.MET, "Application code of before runs on the schema after it.", ()


def _rollback(review: _Review) -> _Answer:
    forward, rollback = review.forward, review.rollback
    if rollback is None:
        return ItemOutcome.NOT_MET, "There is no rollback script.", ()
    if isinstance(rollback, Unparsable):
        return ItemOutcome.NOT_MET, "The rollback script cannot be read.", (str(rollback),)
    if isinstance(forward, Unparsable):
        return _unread(forward)
    return judge_way_back(forward, rollback)


_SAYS_NOTHING = frozenset({Verb.READ, Verb.SETTING, Verb.RAISE_TIMEOUT, Verb.COMMENT, Verb.GRANT, Verb.MAINTENANCE})


def _integrity(review: _Review) -> _Answer:
    if isinstance(review.forward, Unparsable):
        return _unread(review.forward)
    touched = _touched(review.forward)
    if not touched:
        return ItemOutcome.MET, "It changes no table, so nothing has to be asked.", ()
    if review.subject.files.verify is None:
        return ItemOutcome.NOT_MET, f"No verify script asks about {listed([str(one) for one in touched])}.", ()
    try:
        checks = expectations(_text(review.subject.files.verify))
    except CheckError as refused:
        return ItemOutcome.NOT_MET, "The verify script cannot be used.", (str(refused),)
    schema = review.forward.after
    asked = {name for one in checks for name in _asked_about(parse(one.sql).statements[0])}
    evidence = tuple(f"line {one.line}: {one.title}: {one.expectation}" for one in checks)
    left = [str(one) for one, names in touched.items() if one in schema.relations and asked.isdisjoint(names)]
    if left:
        return ItemOutcome.NOT_MET, f"The verify script asks nothing about {listed(left)}.", evidence
    return ItemOutcome.MET, f"{len(checks)} check{'s' * (len(checks) > 1)} of what it changes.", evidence


def _touched(context: Context) -> dict[Name, set[str]]:
    """Return the tables whose shape or rows a migration changes, each with the bare names of what it changes there."""
    found: dict[Name, set[str]] = {}
    for seen in context.seen:
        for change in seen.statement.changes:
            if change.table and change.verb not in _SAYS_NOTHING:
                place = seen.before.place(change.table)
                found.setdefault(place, {place.name}).add(unqualified(change.name))
    return found


def _asked_about(query: Statement) -> Iterator[str]:
    """Yield what a query names: tables, and in its texts what it looks for in the catalogue, an index for example."""
    yield from (unqualified(one) for one in query.relations)
    for node in query.tree.walk():
        value = node.get("val") if node.tag == "A_Const" else None
        if value is not None and value.text("sval"):
            yield unqualified(value.text("sval"))


def _performance(review: _Review) -> _Answer:
    if isinstance(review.forward, Unparsable):
        return _unread(review.forward)
    context = review.forward
    felt: list[tuple[int, Estimate]] = []
    for seen, about in zip(context.seen, review.estimated or estimates(context), strict=True):
        names = {one.relation for one in seen.effects.felt}
        felt.extend((seen.statement.line, one) for one in about if one.relation in names)
    evidence = tuple(f"line {line}: {one.words}" for line, one in felt)
    unknown = [
        f"line {seen.statement.line}: not analysed: {what}" for seen in context.seen for what in seen.effects.unknown
    ]
    if unknown or any(one.slow_seconds is None for _, one in felt):
        return ItemOutcome.NOT_KNOWN, "How long others wait cannot be told.", (*evidence, *unknown)
    if not felt:
        return ItemOutcome.MET, "Nobody who reads or writes waits for it.", ()
    longest = max((one for _, one in felt), key=lambda one: one.slow_seconds or 0)
    time = span_words(longest.seconds or 0, longest.slow_seconds or 0)
    return ItemOutcome.MET, f"Others wait for {longest.relation} longest: {time}.", evidence


def _repeatable(review: _Review) -> _Answer:
    if isinstance(review.forward, Unparsable):
        return _unread(review.forward)
    context, statements = review.forward, review.forward.script.statements
    alone = [one for one in statements if one.outside_transaction or aim_in(context.script, one)]
    if begun := [f"line {one.line}: {one.kind}" for one in statements if one.transaction_control]:
        return ItemOutcome.NOT_MET, "It controls the transaction itself.", tuple(begun)
    if not is_one_transaction(context.script):
        return _alone(context, (alone or statements)[0])
    if context.world.wraps_in_transaction:
        return ItemOutcome.MET, "It runs in one transaction: everything or nothing.", ()
    return ItemOutcome.NOT_KNOWN, "Nothing puts it into one transaction.", ()


def _alone(context: Context, statement: Statement) -> _Answer:
    if is_mixed(context.script):
        files = tuple(f"a file of its own for {one.title}" for one in split(context))
        return ItemOutcome.NOT_MET, "It can stop halfway: a statement that must run alone stands beside others.", files
    aims = (aim_in(context.script, one) for one in context.script.statements)
    if any(isinstance(one, Untold) for one in aims):
        return ItemOutcome.NOT_MET, f"{statement.kind} cannot be run again safely after it was cut off.", ()
    return ItemOutcome.MET, "It can be run again: what each statement is for is looked at first.", ()


def _noted(name: str) -> Callable[[_Review], _Answer]:
    def ask(review: _Review) -> _Answer:
        notes = review.subject.files.notes
        if notes is None:
            return ItemOutcome.NOT_MET, "There is no notes.md.", ()
        if name in missing(_text(notes)):
            return ItemOutcome.NOT_MET, f"notes.md has no heading about the {name} with text below it.", ()
        return ItemOutcome.MET, f"Written down in {_path(review, 'notes')}.", ()

    return ask


def _tests(review: _Review) -> _Answer:
    told = review.subject.tests
    if told is None:
        return ItemOutcome.NOT_KNOWN, "Not reported.", ()
    words = "The application's tests passed." if told.passed else "The application's tests failed."
    return ItemOutcome.MET if told.passed else ItemOutcome.NOT_MET, words, (told.source,)


_ITEMS: tuple[tuple[str, str, Callable[[_Review], _Answer]], ...] = (
    ("migration", "Migration present", _present),
    ("compatible", "Backward compatible", _compatible),
    ("rollback", "Rollback present and complete", _rollback),
    ("integrity", "Integrity checks present", _integrity),
    ("performance", "Performance impact assessed", _performance),
    ("repeatable", "Transactional or re-runnable", _repeatable),
    *((name.replace(" ", "-"), f"{name.capitalize()} written down", _noted(name)) for name in ASKED),
    ("tests", "Tests of the application", _tests),
)
