"""Signs, icons, times and numbers. Every template has these; nothing is to be loaded."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from checks.recipes.files import File, files_in
from checks.rules import CATALOGUE
from deployments.models import Environment
from deployments.views import sql
from deployments.views.planned import ShownMigration
from deployments.views.signs import FINDINGS, RISKS, Sign, look_of, sign_of

register = template.Library()

CHECKS = frozenset(rule.code for rule in CATALOGUE)
NO_BREAK = "\u00a0"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
THOUSAND = 1000
TEN_SECONDS, EXACT_BELOW, LEAST_SHOWN = 10_000, 10, 0.05  # in milliseconds
SIZES = ("B", "kB", "MB", "GB", "TB", "PB")
BARS = ((0.5, 8.5, 5.0), (6.0, 4.5, 9.0), (11.5, 0.5, 13.0))  # left, top, height: a rising scale
LINE = re.compile(r"line (\d+)(?=: )")
EDGE = 4  # characters of a hash that are shown at each end


@register.simple_tag
def icon(name: str, size: int = 16, *, spin: bool = False) -> SafeString:
    """Return a symbol of the sprite. It is never alone: a word stands beside it."""
    return format_html(
        '<svg class="icon{}" width="{}" height="{}" aria-hidden="true"><use href="#i-{}"/></svg>',
        " spin" if spin else "",
        size,
        size,
        name,
    )


@register.filter
def sign(state: object) -> Sign:
    """Return the sign of a state: kind, icon, word."""
    return sign_of(state)


@register.filter
def finding_sign(severity: object) -> Sign:
    """Return the sign of a finding's severity."""
    return FINDINGS[str(severity)]


@register.filter
def recipe_files(rewrite: str) -> tuple[File, ...]:
    """Return the files of a safer way, each with how it is to be run: they are copied one by one."""
    return files_in(rewrite)


@register.filter
def place(line: int, shown: ShownMigration | None) -> SafeString:
    """Return where something is in a migration: the number of the statement and the line, as a link to it."""
    if not shown:
        return format_html("line {}", line)
    return format_html('<a href="{}">{}</a>', *shown.place(line))


@register.filter
def placed(text: str, shown: ShownMigration | None) -> SafeString:
    """Return a sentence that may begin with a line as one that begins with a link to the statement there."""
    found = LINE.match(text)
    if not (found and shown):
        return breakable(text)
    return format_html("{}{}", place(int(found[1]), shown), breakable(text[found.end() :]))


@register.filter
def is_check(code: str) -> bool:
    """Return whether a check of this code has a page; what was measured has a code too, and none."""
    return code in CHECKS


@register.filter
def risk_word(level: object) -> str:
    """Return how a class is written."""
    return RISKS[str(level)][1]


@register.simple_tag
def risk_bars(level: object) -> SafeString:
    """Return the three bars of a class, as many filled as it is high."""
    filled = RISKS[str(level)][0]
    bars = "".join(
        f'<rect class="{"on" if number <= filled else "off"}" x="{left}" y="{top}" width="3.5" height="{height}"/>'
        for number, (left, top, height) in enumerate(BARS, start=1)
    )
    return mark_safe(f'<svg width="16" height="14" viewBox="0 0 16 14" aria-hidden="true">{bars}</svg>')  # noqa: S308


@register.filter
def look(environment: Environment) -> str:
    """Return how the bar of an environment looks: production, staging or development."""
    return look_of(environment)


@register.filter
def sql_lines(text: str, marks: Iterable[sql.Mark] = ()) -> list[sql.Line]:
    """Return the lines of a script, its words marked."""
    return sql.lines(text, marks or ())


@register.filter
def diff_lines(text: str) -> list[tuple[str, str]]:
    """Return the lines of a difference, each with its element: `ins`, `del` or `span`."""
    elements = {"+": "ins", "-": "del"}
    return [(elements.get(line[:1], "span"), line) for line in text.splitlines()]


@register.filter
def iso(at: datetime) -> str:
    """Return an instant for machines: 2026-11-19T03:14:03Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds" if at.microsecond else "seconds").replace("+00:00", "Z")


@register.filter
def utc(at: datetime, form: str = "full") -> str:
    """Return an instant in UTC for people.

    `full` is 19 Nov 2026 03:14:03 UTC, `clock` 03:14:03 UTC, `cell` 19 Nov 03:14:03, `time` 03:14:03 and
    `line` 03:14:03.123. The short ones stand where the day or "UTC" is said beside them.
    """
    at = at.astimezone(UTC)
    day, clock = f"{at.day}{NO_BREAK}{MONTHS[at.month - 1]}", f"{at:%H:%M:%S}"
    match form:
        case "clock":
            return f"{clock}{NO_BREAK}UTC"
        case "cell":
            return f"{day} {clock}"
        case "time":
            return clock
        case "line":
            return f"{clock}.{at.microsecond // 1000:03}"
    return f"{day}{NO_BREAK}{at.year} {clock}{NO_BREAK}UTC"


@register.filter
def clock_in(at: datetime, zone: ZoneInfo) -> str:
    """Return the hour and minute of an instant in a person's zone."""
    return f"{at.astimezone(zone):%H:%M}"


@register.filter
def ago(at: datetime) -> str:
    """Return how long ago an instant was: 2 s ago, 4 min ago, 3 h ago, 2 d ago."""
    seconds = max(0, int((timezone.now() - at).total_seconds()))
    for limit, unit, each in ((120, "s", 1), (7200, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{seconds // each}{NO_BREAK}{unit} ago"
    return f"{seconds // 86_400}{NO_BREAK}d ago"


@register.filter
def took(length: timedelta) -> str:
    """Return a duration as minutes and seconds, 6:33, with hours, 1:06:33, or below a second in tenths, 0.4 s."""
    if timedelta() <= length < timedelta(seconds=1):
        tenths = int(length / timedelta(seconds=0.1))
        return f"0.{tenths}{NO_BREAK}s" if tenths else f"<{NO_BREAK}0.1{NO_BREAK}s"
    minutes, seconds = divmod(max(0, int(length.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


@register.filter
def number(value: float) -> str:
    """Return a number in groups of three that do not break: 19 604 218."""
    return f"{value:,}".replace(",", NO_BREAK)


@register.filter
def size(size_bytes: float) -> str:
    """Return a size with its unit: 31.2 GB, 412 GB. Powers of 1000."""
    value, steps = float(size_bytes), 0
    while round(value) >= THOUSAND and steps < len(SIZES) - 1:
        value, steps = value / THOUSAND, steps + 1
    digits = 1 if steps and value < THOUSAND / 10 else 0
    return f"{value:.{digits}f}{NO_BREAK}{SIZES[steps]}"


@register.filter
def milliseconds(value: float) -> str:
    """Return a latency with its unit: 214 ms, 9.4 ms, 12.3 s. What is above zero is never shown as zero."""
    if 0 < value < LEAST_SHOWN:
        return f"<{NO_BREAK}0.1{NO_BREAK}ms"
    exact, unit = (value / THOUSAND, "s") if round(value) >= TEN_SECONDS else (value, "ms")
    digits = 0 if unit == "ms" and round(value, 1) >= EXACT_BELOW else 1
    return f"{number(round(exact, digits)).removesuffix('.0')}{NO_BREAK}{unit}"


@register.filter
def short(digest: str) -> str:
    """Return the two ends of a hash: 7c1e…a90b."""
    return digest if len(digest) <= 2 * EDGE + 1 else f"{digest[:EDGE]}…{digest[-EDGE:]}"


@register.filter
def breakable(name: str) -> SafeString:
    """Return a long name that may break after each underscore, with nothing in it that nobody would see."""
    return mark_safe(plain(name).replace("_", "_<wbr>"))  # noqa: S308 # escaped


@register.filter
def plain(text: str) -> SafeString:
    """Return a text of somebody else, with the number of each character that nobody would see beside that one."""
    return sql.visible(str(text))
