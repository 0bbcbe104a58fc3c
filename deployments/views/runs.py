"""Runs: what ran where, and how did it end?"""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from deployments.views.base import PageRequest, page


@require_safe
def runs(request: PageRequest) -> HttpResponse:
    """List the runs this person may see."""
    return page(request, "runs/runs")
