"""Whether this process lives, and whether it can do its work."""

from django.db import Error, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe


@require_safe
def livez(_request: HttpRequest) -> JsonResponse:
    """Answer 200 without touching anything: the process is alive."""
    return JsonResponse({"status": "alive"})


@require_safe
def readyz(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when the control database answers and its schema is current, else 503 with the reason.

    Redis is not asked: without it everything still works, later.
    """
    try:
        migrations = MigrationExecutor(connection)
        missing = migrations.migration_plan(migrations.loader.graph.leaf_nodes())
    except OperationalError:
        return JsonResponse({"status": "control database unreachable"}, status=503)
    except Error:  # it answers, but not about its migrations
        return JsonResponse({"status": "control database unreadable"}, status=503)
    if missing:
        return JsonResponse({"status": "migrations missing", "count": len(missing)}, status=503)
    return JsonResponse({"status": "ready"})
