"""The audit log: who did what, when, why, and is the record whole?"""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.http import require_safe

from deployments.models import AuditEvent
from deployments.selectors.audit import CHECK_LIMIT, check_chain, check_whole_chain
from deployments.selectors.audit_log import (
    COLUMNS,
    MOST_EXPORTED,
    Reach,
    Wanted,
    find_events,
    is_too_many,
    page_of,
    rows_of,
)
from deployments.templatetags.locktender import short
from deployments.views.base import PageRequest, page, private

NEWEST_CHECKED = 5000  # with each view of the page; a check of all is asked for
LARGEST = 2**63 - 1
OF_RUNS = frozenset({"migrationrun", "job", "step"})
KINDS = {"migrationrun": "run"}
RUN = re.compile(r"#(\d+)\b")
HASH = re.compile(r"[0-9a-f]{64}")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would execute


class AuditFilters(forms.Form):
    """The filters of the log; they live in the address."""

    actor = forms.CharField(label="Who", required=False, max_length=150)
    action = forms.CharField(required=False, max_length=60, help_text="Or its beginning: run.")
    object = forms.CharField(required=False, max_length=120, help_text="A part of its name.")
    run = forms.IntegerField(label="Run", required=False, min_value=1, max_value=LARGEST)
    since = forms.DateField(label="From, UTC", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label="To, UTC", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    before = forms.IntegerField(required=False, min_value=1, max_value=LARGEST, widget=forms.HiddenInput)


@dataclass(frozen=True, slots=True)
class Line:
    """One event as the page shows it."""

    event: AuditEvent
    run: str  # the number of the run it is about, "" if it is about something else
    kind: str  # of what it is about
    before: str
    after: str


@require_safe
def audit(request: PageRequest) -> HttpResponse:
    """List the events this person may read, newest first, and say whether the chain is whole."""
    form = AuditFilters(request.GET)
    if not form.is_valid():
        return page(request, "audit/audit", {"form": form}, status=422)
    found = find_events(request.user, _wanted(form))
    events, older = page_of(found.events, before=form.cleaned_data["before"])
    kept = {name: value for name, value in form.cleaned_data.items() if value and name != "before"}
    wants_all = "whole" in request.GET
    context = {
        "form": form,
        "found": found,
        "lines": [_line(event) for event in events],
        "is_filtered": bool(kept),
        "check": (check_whole_chain() if wants_all else check_chain(newest=NEWEST_CHECKED))
        if found.reach is Reach.ALL
        else None,
        "wants_all": wants_all,
        "limit": int(CHECK_LIMIT.total_seconds()),
        "checked_at": now(),
        "check_all": _way("audit", kept | {"whole": 1}),
        "newest": _way("audit", kept) if form.cleaned_data["before"] else "",
        "older": _way("audit", kept | {"before": older}) if older else "",
        "csv": _way("audit-csv", kept),
        "json": _way("audit-json", kept),
    }
    return page(request, "audit/audit", context)


@require_safe
def export(request: PageRequest, form_of: str) -> HttpResponseBase:
    """Stream the events that match, oldest first, as CSV or JSON. Too many for one file are refused, not cut."""
    form = AuditFilters(request.GET)
    if not form.is_valid():
        return page(request, "audit/audit", {"form": form}, status=422)
    found = find_events(request.user, _wanted(form))
    if is_too_many(found.events):
        return page(request, "audit/audit", {"form": form, "most": MOST_EXPORTED}, status=422)
    rows = rows_of(found.events)
    body, kind = (_csv(rows), "text/csv") if form_of == "csv" else (_json(rows), "application/json")
    response = StreamingHttpResponse(body, content_type=f"{kind}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="locktender-audit-{now():%Y%m%dT%H%M%SZ}.{form_of}"'
    return private(response)


def _wanted(form: AuditFilters) -> Wanted:
    given = form.cleaned_data
    return Wanted(
        actor=given["actor"].strip(),
        action=given["action"].strip(),
        about=given["object"].strip(),
        run=given["run"],
        since=given["since"],
        until=given["until"],
    )


def _way(name: str, values: dict[str, Any]) -> str:
    query = urlencode({key: value for key, value in values.items() if value})
    return reverse(name) + (f"?{query}" if query else "")


def _line(event: AuditEvent) -> Line:
    about = RUN.match(event.object_name) if event.object_type in OF_RUNS else None
    kind = KINDS.get(event.object_type, event.object_type)
    return Line(event, about[1] if about else "", kind, _told(event.before), _told(event.after))


def _told(value: Any) -> str:
    """Return what was before or after in one line: the word itself, or names with values; of a hash its ends."""
    match value:
        case None | [] | "":
            return ""
        case dict():
            return ", ".join(f"{name} {_told(inner) or 'none'}" for name, inner in value.items())
        case list():
            return ", ".join(_told(inner) for inner in value)
        case str():
            return short(value) if HASH.fullmatch(value) else value
    return json.dumps(value)


class Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        """Return the text."""
        return text


def _csv(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    writer = csv.writer(Echo())
    yield writer.writerow(COLUMNS)
    for row in rows:
        yield writer.writerow([_cell(row[name]) for name in COLUMNS])


def _cell(value: Any) -> Any:
    """Return a value for a spreadsheet: text that it would execute gets an apostrophe before it."""
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value


def _json(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    yield "["
    for place, row in enumerate(rows):
        told = json.dumps(row | {"at": _instant(row["at"])}, ensure_ascii=False)
        yield f"{',' if place else ''}\n{told}"
    yield "\n]\n"


def _instant(at: datetime) -> str:
    """Return an instant with every digit that the hash is over."""
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
