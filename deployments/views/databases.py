"""Databases: which are behind or drifted?"""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from deployments.views.base import PageRequest, page


@require_safe
def databases(request: PageRequest) -> HttpResponse:
    """List the databases this person may see."""
    return page(request, "databases/databases")
