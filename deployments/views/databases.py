"""Databases: which are behind or drifted?"""

from collections.abc import Sequence

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from deployments.models import Database
from deployments.selectors.databases import Standing, standings
from deployments.views.base import PageRequest, page


@require_safe
def databases(request: PageRequest) -> HttpResponse:
    """List the databases this person may see."""
    found = standings(request.user)
    context = {
        "standings": found,
        "is_empty": not found and not Database.objects.exists(),
        **said_of(found),
    }
    return page(request, "databases/databases", context)


def said_of(found: Sequence[Standing]) -> dict[str, str]:
    """Return the verdict: whether all databases are as released, and if not, how many are what."""
    counts = {
        ("is", "are", "refused until it is re-adopted"): sum(bool(one.memory and one.memory.code) for one in found),
        ("was", "were", "changed past Locktender"): sum(bool(one.alarms) for one in found),
        ("has", "have", "another schema than expected"): sum(one.drift.is_drifted for one in found),
        ("is", "are", "not as released"): sum(one.has_drifted for one in found),
        ("is", "are", "out of order"): sum(one.is_out_of_order for one in found),
        ("is", "are", "behind"): sum(bool(one.column.pending) for one in found),
        ("was", "were", "never compared with a release"): sum(one.release is None for one in found),
        ("was", "were", "never read"): sum(one.reading.observation is None for one in found),
        ("was", "were", "read too long ago"): sum(one.reading.is_aged for one in found),
    }
    told = [f"{count} {one if count == 1 else many} {what}" for (one, many, what), count in counts.items() if count]
    if not told:
        if unknown := sum(one.drift.is_unknown for one in found):
            say = f"Every database is as released; of {unknown} it is not known whether somebody changed the schema."
            return {"state": "not-measured", "icon": "", "say": say}
        return {"state": "succeeded", "icon": "", "say": "Every database is as released."}
    say = f"Of {len(found)} database{'' if len(found) == 1 else 's'} {', '.join(told)}."
    if any(one.has_drifted or one.alarms or one.drift.is_drifted or (one.memory and one.memory.code) for one in found):
        return {"state": "drift", "icon": "", "say": say}
    if not all(one.is_comparable for one in found):
        return {"state": "not-measured", "icon": "", "say": say}
    return {"state": "queued", "icon": "git-commit-horizontal", "say": say}
