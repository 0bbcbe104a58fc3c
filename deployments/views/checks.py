"""Checks: why was something found, what is the safer way, and how often was it hit?"""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from checks.report import Part, judge
from checks.rules import CATALOGUE, VERIFY_RULES
from deployments.selectors.catalogue import NEWEST, catalogue, places_of_rule
from deployments.views.base import PageRequest, page


@require_safe
def checks(request: PageRequest) -> HttpResponse:
    """List every check with how often it found something."""
    return page(request, "checks/checks", {"chapters": catalogue(request.user)})


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
