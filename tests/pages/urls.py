"""The product's addresses, and some that go wrong on purpose."""

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from controlplane.urls import handler400, handler403, handler404, handler500
from deployments.authority import NotAllowed
from deployments.services.plan_refusals import ReasonMissing
from deployments.services.transition import Stale
from deployments.views.base import actor_of, page, unchanged
from tests.pages.drawing import draw

__all__ = ["handler400", "handler403", "handler404", "handler500"]

ERRORS = {
    "not-allowed": lambda: NotAllowed(reason="You may not roll back this run: that takes the role DBA or On-call."),
    "stale": lambda: Stale(subject="Job 7", expected="queued"),
    "refused": ReasonMissing,
    "broken": lambda: ZeroDivisionError("a secret of the code"),
    "away": lambda: OperationalError("connection refused to 10.1.2.3"),
    "nonsense": lambda: SuspiciousOperation("nonsense"),
}


def fails(_request: HttpRequest, which: str) -> HttpResponse:
    make = ERRORS[which]
    raise make()


def who(request: Any) -> HttpResponse:
    acts = actor_of(request)
    return HttpResponse(f"{acts.name} {acts.user.pk} {acts.request_id} {acts.address}")


def counter(request: HttpRequest) -> HttpResponse:
    """A fragment that is at version 3."""
    return unchanged(request, 3) or HttpResponse("three")


def template(request: HttpRequest) -> HttpResponse:
    """Render what a test put here."""
    return HttpResponse(draw(TEMPLATES["now"], request))


TEMPLATES = {"now": ""}

urlpatterns = [
    path("", include("deployments.urls")),
    path("fails/<which>/", fails),
    path("open/fails/<which>/", login_not_required(fails)),
    path("who/", who),
    path("counter/", counter),
    path("template/", template),
    path("page/", lambda request: page(request, "help/help", {"meanings": {}, "risks": []}, status=409)),
]
