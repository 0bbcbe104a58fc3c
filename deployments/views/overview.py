"""The overview: does anything need me now?"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.http import HttpResponse
from django.utils.timezone import now
from django.views.decorators.http import require_safe

from deployments.models import Application
from deployments.selectors.overview import DAY, Need, Place, Working, begun_at, changed_at, needs, places, working
from deployments.selectors.place_needs import PlaceNeed, stands_seen
from deployments.states import RunState
from deployments.views.base import PageRequest, page, unchanged
from deployments.views.signs import sign_of

STRIP_WIDTH = 330.0  # units of the drawing of a day
NARROWEST = 5.0  # a run of a second is seen, too
MOST_SUCCESSES = 3
COUNTS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
KINDS = {
    RunState.NEEDS_ATTENTION: ("unknown result", "unknown results"),
    "back-door": ("change by somebody else", "changes by somebody else"),
    "drift": ("drifted database", "drifted databases"),
    RunState.FAILED: ("failed run", "failed runs"),
    RunState.AWAITING: ("decision", "decisions"),
    "ready": ("start", "starts"),
    "waiting": ("run that waits", "runs that wait"),
}
"""How the things that need somebody are counted, by their sign."""


@dataclass(frozen=True, slots=True)
class Say:
    """The verdict of the overview. `kind` and `icon` are those of a sign."""

    kind: str
    icon: str
    say: str
    then: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One run in the drawing of a day: its place in the strip, and the kind of its sign."""

    x: str
    width: str
    kind: str


@dataclass(frozen=True, slots=True)
class Day:
    """An environment, its runs of the last 24 hours as a drawing, and the same in words."""

    place: Place
    bars: tuple[Bar, ...]
    words: str


@require_safe
def overview(request: PageRequest) -> HttpResponse:
    """Show what needs this person. `part=running` asks for what runs alone, which changes more often."""
    user = request.user
    at_work = working(user)
    beat = beat_of(at_work)
    if request.GET.get("part") == "running" and request.htmx:
        return unchanged(request, beat) or page(request, "overview/running", {"at_work": at_work, "beat": beat})
    version = changed_at(user)
    if same := unchanged(request, version):
        return same
    stands = stands_seen(user)
    waiting, seen = needs(user, stands), places(user, stands)
    found = waiting.shown
    mine = [one for one in found if one.is_mine]
    successes = sorted((one.last_success for one in seen if one.last_success), key=lambda run: -run.number)
    context = {
        "version": version,
        "now": now(),
        "verdict": verdict_of(mine, found, at_work),
        "needs": found,
        "more": waiting.more,
        "mine": mine,
        "at_work": at_work,
        "beat": beat,
        "days": [day_of(one) for one in seen],
        "applications": sorted({one.environment.application for one in seen}, key=lambda one: one.slug),
        "successes": successes[:MOST_SUCCESSES],
        "is_empty": not seen and not Application.objects.exists(),
    }
    return page(request, "overview/overview", context)


def beat_of(at_work: Sequence[Working]) -> str:
    """Return what differs when anything of what runs does; "" while nothing runs."""
    facts = [
        (
            one.run.pk,
            one.run.revision,
            one.resting,
            one.behind,
            one.job and one.job.heartbeat_at,
            one.step and one.step.pk,
        )
        for one in at_work
    ]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16] if facts else ""


def verdict_of(mine: Sequence[Need | PlaceNeed], found: Sequence[Need | PlaceNeed], at_work: Sequence[Working]) -> Say:
    """Return whether anything needs this person, and what of it."""
    going = [one for one in at_work if one.resting is None]
    resting = len(at_work) - len(going)
    running = f"{counted(len(going), 'run is', 'runs are')} queued or running." if going else "Nothing is running."
    if resting:
        running = f"{running} {counted(resting, 'run is', 'runs are')} paused, or will be."
    if mine:
        things = counted(len(mine), "thing needs", "things need")
        return Say("wait", "hand", f"{things} you: {listed(mine)}.", running)
    if found:
        things = counted(len(found), "thing needs", "things need")
        return Say("idle", "info", "Nothing needs you.", f"{things} somebody else: {listed(found)}. {running}")
    return Say("ok", "circle-check", "Nothing needs you.", f"Nothing failed last, and nothing waits. {running}")


def counted(number: int, one: str, many: str) -> str:
    """Return a number with its words, as a sentence begins: Two runs, 14 runs."""
    return f"{COUNTS[number] if number < len(COUNTS) else number} {one if number == 1 else many}"


def listed(found: Sequence[Need | PlaceNeed]) -> str:
    """Return how many there are of each kind: one unknown result, two decisions."""
    signs = [str(one.sign) for one in found]
    return ", ".join(
        counted(signs.count(sign), *words).lower() for sign, words in KINDS.items() if signs.count(sign) > 0
    )


def day_of(place: Place) -> Day:
    """Return the runs of a day as bars, and in words for those who do not see them."""
    began = now() - DAY
    bars, told = [], []
    for run in place.day:
        start = max(begun_at(run) or began, began)
        left = _units(start - began)
        width = max(NARROWEST, _units((run.finished_at or now()) - start))
        sign = sign_of(run.state)
        bars.append(Bar(f"{min(left, STRIP_WIDTH - width):.1f}", f"{width:.1f}", sign.kind))
        told.append(f"{run} {sign.word.lower()}")
    return Day(place, tuple(bars), ", ".join(told) or "no run")


def _units(length: timedelta) -> float:
    return STRIP_WIDTH * (length / DAY)
