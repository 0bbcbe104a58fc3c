"""Who may change the schema of one database past Locktender, and the SQL that ends it: shown, never run."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from deployments.selectors.back_door import back_door_of
from deployments.selectors.onboarding import onboarding_of
from deployments.views.base import PageRequest, page
from deployments.views.database import found_database


@require_safe
def onboarding(request: PageRequest, pk: int) -> HttpResponse:
    """Show who may change the schema of a database, and the SQL that leaves it to Locktender. Raises Http404."""
    this = found_database(request, pk)
    context = {
        "database": this,
        "found": onboarding_of(this),
        "door": back_door_of(this),
        "layout": this.environment.application.layout,
    }
    return page(request, "databases/onboarding", context)
