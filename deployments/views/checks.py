"""Checks: why was something found, what is the safer way, and how often was it hit?"""

from django import forms
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from checks.finding import Group
from checks.report import Part, judge
from checks.rules import CATALOGUE, VERIFY_RULES
from deployments.selectors.catalogue import NEWEST, catalogue, filtered, places_of_rule
from deployments.views.base import PageRequest, page


class CheckFilters(forms.Form):
    """The filters of the list; they live in the address."""

    words = forms.CharField(required=False, max_length=100, widget=forms.TextInput(attrs={"type": "search"}))
    family = forms.ChoiceField(required=False, choices=[("", "all"), *((one.name.lower(), one) for one in Group)])
    hit = forms.ChoiceField(label="Hit here", required=False, choices=[("", "all"), ("yes", "hit"), ("no", "never")])


@require_safe
def checks(request: PageRequest) -> HttpResponse:
    """List every check with how often it found something. An address whose filter cannot be read lists all of them."""
    form = CheckFilters(request.GET)
    told = form.cleaned_data if form.is_valid() else {}
    chapters = catalogue(request.user)
    wanted = filtered(chapters, **told)
    context = {
        "form": form,
        "chapters": wanted,
        "shown": sum(len(one.entries) for one in wanted),
        "every": sum(len(one.entries) for one in chapters),
    }
    return page(request, "checks/checks", context, status=200 if form.is_valid() else 422)


@require_safe
def check(request: PageRequest, code: str) -> HttpResponse:
    """Show one check: why, what it blocks, an example with its safer way, and where it was hit."""
    rule = next((one for one in CATALOGUE if one.code == code), None)
    if rule is None:
        raise Http404
    part = Part.VERIFY if rule in VERIFY_RULES else Part.FORWARD
    example = next((one for one in judge(rule.bad, part=part, style=True).findings if one.code == code), None)
    context = {"rule": rule, "example": example, "places": places_of_rule(request.user, rule), "newest": NEWEST}
    return page(request, "checks/check", context)
