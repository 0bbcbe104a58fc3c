"""The migrations of a run's plan one by one: what does each do, statement by statement?"""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from deployments.selectors.run_actions import target_of
from deployments.selectors.run_page import seen_run
from deployments.selectors.run_plan import plan_of, scripts_of, sizes_of
from deployments.views.base import PageRequest, page, wants_fragment
from deployments.views.planned import LISTED, at_once, one_shown, shown


@require_safe
def run_migration(request: PageRequest, number: int, place: int) -> HttpResponse:
    """Show one migration of a plan; for HTMX what stands in its fold on the page of the run. Raises Http404."""
    run = seen_run(request.user, number)
    migrations = plan_of(run).migrations if run else ()
    if run is None or not 0 < place <= len(migrations):
        raise Http404
    one = migrations[place - 1]
    context = {
        "run": run,
        "shown": one_shown(run, one, scripts_of([one]), is_open=True),
        "count": len(migrations),
        "target": target_of(run),
    }
    return page(request, "runs/migration", context)


@require_safe
def run_migrations(request: PageRequest, number: int, first: int) -> HttpResponse:
    """Name the migrations of a plan from one on; for HTMX as they stand in their fold. Raises Http404."""
    run = seen_run(request.user, number)
    migrations = plan_of(run).migrations if run else ()
    if run is None or not 0 < first <= len(migrations):
        raise Http404
    listed = shown(run, migrations, {})[first - 1 :][:LISTED]
    last = first + len(listed) - 1
    if wants_fragment(request):  # beside what the page shows at once, wherever in the plan that is
        there = {one.number for one in at_once(migrations, sizes_of(migrations))}
        listed = [one for one in listed if one.planned.number not in there]
    context = {"run": run, "migrations": listed, "rest": [], "count": len(migrations), "target": target_of(run)}
    context |= {"first": first, "last": last, "next": last + 1}
    return page(request, "runs/migrations", context)
