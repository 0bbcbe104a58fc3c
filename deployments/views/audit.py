"""The audit log: who did what, when, why?"""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from deployments.views.base import PageRequest, page


@require_safe
def audit(request: PageRequest) -> HttpResponse:
    """List the events this person may read."""
    return page(request, "audit/audit")
