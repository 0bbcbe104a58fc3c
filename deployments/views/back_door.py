"""Alarms about one database: what somebody else did to its history, and ending them with a reason."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from deployments.authority import Action, eligible, may
from deployments.errors import DeploymentError
from deployments.models import Database
from deployments.selectors.back_door import back_door_of
from deployments.services.back_door import end_alarms
from deployments.views.base import PageRequest, actor_of, page
from deployments.views.database import found_database
from deployments.views.errors import status_of
from deployments.views.forms import ConfirmForm


class EndForm(ConfirmForm):
    """Who did it and what was done about it, bound to the alarms that the person looked at."""

    seen = forms.IntegerField(widget=forms.HiddenInput)
    reason = forms.CharField(
        label="Reason",
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="For the record: who did it, why, and what was done so that it does not come again.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
def back_door(request: PageRequest, pk: int) -> HttpResponse:
    """Show what somebody else did to the history of a database; a POST ends these alarms. Raises Http404."""
    this = found_database(request, pk)
    if request.method != "POST":
        return page(request, "databases/back_door", _context(request, this))
    form = EndForm(request.POST)
    if not form.is_valid():
        return page(request, "databases/back_door", {**_context(request, this), "form": form}, status=422)
    try:
        end_alarms(this, seen=form.cleaned_data["seen"], reason=form.cleaned_data["reason"], actor=actor_of(request))
    except DeploymentError as refusal:
        context = _context(request, this, reason=form.cleaned_data["reason"]) | {"refusal": refusal}
        return page(request, "databases/back_door", context, status=status_of(refusal))
    return redirect("back-door", pk)


def _context(request: PageRequest, this: Database, *, reason: str = "") -> dict[str, Any]:
    door = back_door_of(this)
    allowed = may(request.user, Action.END_ALARM, this)
    return {
        "database": this,
        "door": door,
        "form": EndForm(initial={"seen": door.newest, "reason": reason}),
        "closed": "" if allowed else allowed.reason,
        "who": () if allowed else tuple(one.username for one in eligible(Action.END_ALARM, this)),
        "layout": this.environment.application.layout,
    }
