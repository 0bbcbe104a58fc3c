"""The overview: does anything need me now?"""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from deployments.views.base import PageRequest, page


@require_safe
def overview(request: PageRequest) -> HttpResponse:
    """Show what needs this person."""
    return page(request, "overview/overview")
