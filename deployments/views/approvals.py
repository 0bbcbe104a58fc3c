"""Approvals: what waits for me, most urgent first?"""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from deployments.views.base import PageRequest, page


@require_safe
def approvals(request: PageRequest) -> HttpResponse:
    """List what waits for a decision."""
    return page(request, "approvals/approvals")
