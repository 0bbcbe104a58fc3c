"""What the frame around every page shows: the links, the person's preferences, the request's id."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import version
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.http import HttpRequest

from deployments.models import Drain, User
from deployments.selectors.drains import open_drain, running_jobs
from deployments.selectors.waiting import decisions_waiting_for

LINKS = (
    ("overview", "Overview", "o"),
    ("runs", "Runs", "r"),
    ("approvals", "Approvals", "a"),
    ("databases", "Databases", "d"),
    ("audit", "Audit", "u"),
)
"""The five links: the name of the address, which is also the first part of every path below it, the word, and the key
that leads there after `g`."""

THEMES = {"": "As the system says", "light": "Light", "dark": "Dark"}
THEME, KEYS, ZONE = "theme", "keys", "zone"  # cookies; time.js sets the last one, so that the server knows the zone
known_zones = cache(available_timezones)


@dataclass(frozen=True, slots=True)
class Link:
    """One of the five links."""

    name: str
    label: str
    key: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a person set for their browser; every value comes from a cookie and is checked here."""

    theme: str = ""  # "" as the system says
    has_keys: bool = True  # single-key shortcuts
    zone: ZoneInfo | None = None

    @property
    def place(self) -> str:
        """The zone as people say it: "Europe/Berlin" is "Berlin"."""
        return self.zone.key.rpartition("/")[2].replace("_", " ") if self.zone else ""


@dataclass(frozen=True, slots=True)
class Shell:
    """The frame of a page for somebody who may or may not be signed in."""

    links: list[Link] = field(default_factory=list)
    is_debug: bool = False
    decisions: Callable[[], int] = int  # how many wait for this person; asked only where the frame is drawn
    drain: Callable[[], Drain | None] = open_drain
    running: Callable[[], int] = running_jobs


def preferences_of(request: HttpRequest) -> Preferences:
    """Return what this browser's cookies say; nonsense counts as unset."""
    theme = request.COOKIES.get(THEME, "")
    zone = request.COOKIES.get(ZONE, "").replace("%2F", "/")
    return Preferences(
        theme=theme if theme in THEMES else "",
        has_keys=request.COOKIES.get(KEYS) != "off",
        zone=ZoneInfo(zone) if zone in known_zones() and zone not in {"UTC", "Etc/UTC"} else None,
    )


def links_for(request: HttpRequest) -> list[Link]:
    """Return the five links, the one of this page marked."""
    here = request.path_info.strip("/").partition("/")[0] or "overview"
    return [Link(name, label, key, is_current=name == here) for name, label, key in LINKS]


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return what every template gets. A context processor."""
    return {
        "shell": Shell(links=links_for(request), is_debug=settings.DEBUG, decisions=partial(_decisions, request)),
        "preferences": preferences_of(request),
        "request_id": getattr(request, "request_id", ""),
        "product_version": version("locktender"),
    }


def _decisions(request: HttpRequest) -> int:
    return decisions_waiting_for(request.user) if isinstance(request.user, User) else 0
