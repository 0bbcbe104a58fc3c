"""Runs: what ran where, and how did it end?"""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from deployments.models.run import RunKind
from deployments.selectors.run_list import KINDS, OPEN, OVER, PAUSED, Filter, choices_of, run_list
from deployments.states import RunState
from deployments.views.base import PageRequest, page, unchanged
from deployments.views.signs import sign_of

LARGEST = 2**63 - 1
HEADS = ["Run", "Where", "State and effect", "Class", "Requested by", "Decided by", "Started, UTC", "#Took"]
DAY = forms.DateInput(attrs={"type": "date"})


class RunFilters(forms.Form):
    """The filters of the list; they live in the address."""

    environment = forms.ChoiceField(required=False)
    state = forms.ChoiceField(required=False)
    kind = forms.ChoiceField(required=False)
    person = forms.ChoiceField(label="Requested by", required=False)
    since = forms.DateField(label="From, UTC", required=False, widget=DAY)
    until = forms.DateField(label="To, UTC", required=False, widget=DAY)
    before = forms.IntegerField(required=False, min_value=1, max_value=LARGEST, widget=forms.HiddenInput)
    newest = forms.IntegerField(required=False, min_value=0, max_value=LARGEST, widget=forms.HiddenInput)

    def __init__(self, *args: Any, environments: list[str], people: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        states = [(OPEN, "Open, all"), (OVER, "Over, all"), *((one, sign_of(one).word) for one in (PAUSED, *RunState))]
        for name, choices in {
            "environment": [(one, one) for one in environments],
            "state": states,
            "kind": [(one.value, RunKind(one).label) for one in KINDS],
            "person": [(one, one) for one in people],
        }.items():
            self.fields[name].choices = [("", "all"), *choices]  # type: ignore[attr-defined]  # a ChoiceField


@require_safe
def runs(request: PageRequest) -> HttpResponse:
    """List the runs this person may see. An address whose filter cannot be read lists nothing and says why."""
    environments, people = choices_of(request.user)
    form = RunFilters(request.GET, environments=environments, people=people)
    told = form.cleaned_data if form.is_valid() else None
    if told is None:
        return page(request, "runs/runs", {"form": form, "seen": None}, status=422)
    wanted = Filter(**{name: told[name] for name in ("environment", "state", "kind", "person", "since", "until")})
    seen = run_list(request.user, wanted, before=told["before"], newest=told["newest"])
    kept = {name: value for name, value in told.items() if value and name not in {"before", "newest"}}
    context = {
        "form": form,
        "heads": HEADS,
        "seen": seen,
        "is_filtered": bool(kept),
        "has_environments": bool(environments),
        "has_role": bool(environments) or request.user.grants.exists(),
        "this": way(kept | {"before": told["before"], "newest": seen.newest}),
        "newest": way(kept),
        "older": way(kept | {"before": seen.older, "newest": seen.newest}) if seen.older else "",
    }
    return unchanged(request, seen.version) or page(request, "runs/runs", context)


def way(values: dict[str, Any]) -> str:
    """Return the address of the list with these values."""
    query = urlencode({name: value for name, value in values.items() if value})
    return reverse("runs") + (f"?{query}" if query else "")
