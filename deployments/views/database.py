"""One database: whose is it by its own record, what does it know that we do not, and taking it on again."""

import hashlib
from typing import Any

from django import forms
from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from deployments.authority import Action, eligible, may, seen_environments
from deployments.errors import DeploymentError
from deployments.models import AuditEvent, Database, TargetRequest
from deployments.models.target_request import RequestKind
from deployments.selectors.back_door import back_door_of
from deployments.selectors.backups import backups_of
from deployments.selectors.beside import beside_of
from deployments.selectors.drift import drift_of
from deployments.selectors.history import latest_observation
from deployments.selectors.lives import standing_of
from deployments.selectors.matrix import column_of
from deployments.selectors.taken_back import taken_back
from deployments.services.adopt import request_readoption
from deployments.views.base import PageRequest, actor_of, page, unchanged
from deployments.views.errors import status_of
from deployments.views.forms import ConfirmForm

MOST_EVENTS = 10
EVENTS = (
    "database.readoption-begun",
    "database.readopted",
    "database.history-changed",
    "database.alarm-ended",
    "database.drift-accepted",
)


class ReadoptForm(ConfirmForm):
    """Why what is there is right, and the name of the database typed."""

    reason = forms.CharField(
        label="Reason",
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="For the record: what happened, and why what the database holds is right.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
def database(request: PageRequest, pk: int) -> HttpResponse:
    """Show a database and its memory; a POST asks for it to be re-adopted. Raises Http404."""
    this = found_database(request, pk)
    form = ReadoptForm(target=this.name, verb="re-adopt it")
    if request.method != "POST":
        context = _context(request, this)
        return unchanged(request, context["version"]) or page(request, "databases/database", {**context, "form": form})
    form = ReadoptForm(request.POST, target=this.name, verb="re-adopt it")
    if not form.is_valid():
        return page(request, "databases/database", {**_context(request, this), "form": form}, status=422)
    try:
        request_readoption(this, reason=form.cleaned_data["reason"], actor=actor_of(request))
    except DeploymentError as refusal:
        context = {**_context(request, this), "form": form, "refusal": refusal}
        return page(request, "databases/database", context, status=status_of(refusal))
    return redirect("database", pk)


def found_database(request: PageRequest, pk: int) -> Database:
    """Return the database, if this person may see it. Raises Http404."""
    places = Database.objects.filter(environment__in=seen_environments(request.user))
    this = places.select_related("environment__application").filter(pk=pk).first()
    if this is None:
        raise Http404
    return this


def _context(request: PageRequest, this: Database) -> dict[str, Any]:
    wishes = TargetRequest.objects.filter(database=this, kind=RequestKind.READOPT).select_related("requested_by")
    wish, seen = wishes.order_by("-id").first(), latest_observation(this)
    allowed, drift, door = may(request.user, Action.READOPT, this), drift_of(this), back_door_of(this)
    kept = settings.CONFIGURATION
    backups, beside = backups_of(this, days=kept.backup_days, count=kept.backups_kept), beside_of(this)
    stand = "".join([*(one.version for one in backups), *(one.version for one in beside)])
    versions = hashlib.sha256(stand.encode()).hexdigest()[:12]
    again = taken_back([this])
    moments = (drift.stand, wish and wish.answered_at, versions, door.newest, door.is_aged)
    told = AuditEvent.objects.filter(object_type="database", object_id=str(this.pk), action__in=EVENTS)
    return {
        "database": this,
        "seen": seen,
        "memory": standing_of(this),
        "wish": wish,
        "is_asked": wish is not None and wish.answered_at is None,
        "drift": drift,
        "door": door,
        "column": column_of(this),
        "taken_back": again,
        "backups": backups,
        "beside": beside,
        "closed": "" if allowed else allowed.reason,
        "who": () if allowed else tuple(one.username for one in eligible(Action.READOPT, this)),
        "events": told.order_by("-seq")[:MOST_EVENTS],
        "version": "-".join(map(str, (*(one and one.pk for one in (drift.expected, seen, wish)), *moments))),
    }
