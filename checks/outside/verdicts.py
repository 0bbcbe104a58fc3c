"""What to do with a statement outside a transaction, judged from what the catalogue shows and what was tried before."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from checks.outside.aims import Aim, Built, Configured, Detached, Gone, IndexBuilt, Moved, Rebuilt, Repeated, Thing


class Next(Enum):
    """What follows from a look."""

    SEND = auto()
    DONE = auto()
    CLEAR = auto()  # take away, or finish, what a cut-off attempt left, then look again
    DOUBT = auto()  # a person decides


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows, and of a doubt why."""

    next: Next
    why: str = ""


@dataclass(frozen=True, slots=True)
class Remains:
    """What a cut-off attempt left: an INVALID index, or a partition whose detaching is pending."""

    oid: int
    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class Found:
    """What the catalogue shows of an aim.

    `there` are the objects of that name, or the indexes in that scope, that are whole; `unfinished` those that are not.
    `differences` says in words where the object is another than the one asked for. `is_reached` is about an aim that
    is no object; None where it cannot be read.
    """

    there: frozenset[int] = frozenset()
    unfinished: tuple[Remains, ...] = ()
    differences: tuple[str, ...] = ()
    is_reached: bool | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """What is recorded of earlier attempts: whether there were any, whether one was seen to be done, what was there.

    `why` says why what one of them did may not count as done; "" where nothing was done, or it counts. `before` is what
    was found before the first of them; None where that is not known, or where there was none.
    """

    was_attempted: bool = False
    was_done: bool = False
    before: Found | None = None
    why: str = ""

    @property
    def there_before(self) -> frozenset[int]:
        """The objects that were whole before the first attempt."""
        return self.before.there if self.before else frozenset()


_SEND, _DONE = Verdict(Next.SEND), Verdict(Next.DONE)


def verdict(aim: Aim, found: Found, past: Past) -> Verdict:  # noqa: PLR0911 - a table
    """Return what to do now. What was attempted counts as done only where the catalogue proves it."""
    match aim:
        case IndexBuilt() | Built():
            return _built(aim, found, past)
        case Gone():
            return _gone(aim, found, past)
        case Rebuilt():
            return _rebuilt(found, past)
        case Detached() | Moved() | Configured():
            return _changed(aim, found, past)
        case Repeated():
            return _DONE if past.was_done else _SEND
    if past.was_done:
        return _DONE
    return Verdict(Next.DOUBT, aim.why) if past.was_attempted else _SEND


def shortcoming(aim: Aim, found: Found, before: Found) -> str:
    """Return what is wrong although the server said it was done, in words; "" when the catalogue agrees."""
    match aim:
        case IndexBuilt() | Built():
            if found.differences:
                return _another(aim, found)
            return "" if found.there else f"the server said it was done, but {_called(aim)} is not there, or not valid"
        case Gone():
            left = found.there & before.there or found.unfinished
            return f"the server said it was done, but {_called(aim)} is still there" if left else ""
        case Rebuilt():
            left = new_remains(found, before)
            return f"unfinished indexes are left: {', '.join(one.name for one in left)}" if left else ""
        case Detached() | Moved() | Configured() if found.is_reached is False:
            return "the server said it was done, but the catalogue does not show it"
    return ""


def new_remains(found: Found, before: Found | None) -> tuple[Remains, ...]:
    """Return what is unfinished now and was not before: what others left behind earlier is not ours to take away."""
    known = {one.oid for one in before.unfinished} if before else set()
    return tuple(one for one in found.unfinished if one.oid not in known)


def _built(aim: IndexBuilt | Built, found: Found, past: Past) -> Verdict:
    if found.differences:
        return Verdict(Next.DOUBT, _another(aim, found))
    if found.unfinished:
        if isinstance(aim, IndexBuilt):
            return Verdict(Next.CLEAR)
        return Verdict(Next.DOUBT, f"{_called(aim)} is there, but the server calls it invalid")
    if found.there:
        return _DONE if past.was_attempted and not found.there & past.there_before else _SEND
    if past.was_attempted and isinstance(aim, Built) and aim.thing is Thing.SUBSCRIPTION:
        return Verdict(Next.DOUBT, f"{_called(aim)} is not there, but the publisher may hold a replication slot for it")
    return _SEND


def _gone(aim: Gone, found: Found, past: Past) -> Verdict:
    if not found.there and not found.unfinished:
        return _DONE if past.was_attempted else _SEND
    if found.there and past.was_attempted and past.before and not found.there & past.there_before:
        return Verdict(Next.DOUBT, f"{_called(aim)} is there, but not the one that was to be dropped: a later one")
    return _SEND


def _rebuilt(found: Found, past: Past) -> Verdict:
    if past.was_attempted and new_remains(found, past.before):
        return Verdict(Next.CLEAR)
    is_all_new = bool(past.there_before) and bool(found.there) and not found.there & past.there_before
    return _DONE if past.was_attempted and is_all_new else _SEND


def _changed(aim: Detached | Moved | Configured, found: Found, past: Past) -> Verdict:
    if found.unfinished:
        return Verdict(Next.CLEAR)
    if found.is_reached is None and past.was_attempted and not isinstance(aim, Configured):
        return Verdict(Next.DOUBT, "one of the objects that it names is not there any more")
    return _DONE if found.is_reached and past.was_attempted else _SEND


def _called(aim: IndexBuilt | Built | Gone) -> str:
    if isinstance(aim, IndexBuilt):
        return f"the index {aim.index.name}"
    return f"the {aim.thing} {aim.name}"


def _another(aim: IndexBuilt | Built, found: Found) -> str:
    return f"{_called(aim)} is there, but it is another one: {'; '.join(found.differences)}"
