"""The pages of everything that went otherwise: what happened, what it means for the databases, what to do next."""

import sys
from collections.abc import Iterator

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from checks.errors import CheckError
from deployments.authority import NotAllowed
from deployments.errors import DeploymentError
from deployments.services.back_door import NoAlarm
from deployments.services.decide import DecidedAlready, PlanIsAnother
from deployments.services.drift import DriftMoved
from deployments.services.end_session import EndAskedAlready, SessionNotInTheWay
from deployments.services.pause import NotPaused, PausedAlready
from deployments.services.plan_refusals import AlreadyOpen, AlreadyRequested, DraftMoved, NotSuperseded
from deployments.services.resolve import NothingToResolve
from deployments.services.transition import DatabaseBusy, IllegalTransition, Stale
from deployments.views.base import private, wants_fragment

MOVED = (
    AlreadyOpen,
    AlreadyRequested,
    DatabaseBusy,
    DecidedAlready,
    DraftMoved,
    DriftMoved,
    EndAskedAlready,
    IllegalTransition,
    NoAlarm,
    NotPaused,
    NothingToResolve,
    NotSuperseded,
    PausedAlready,
    PlanIsAnother,
    SessionNotInTheWay,
    Stale,
)
"""Refusals that say: it is no longer as the person saw it."""
KEPT_OUT = (
    "csrf",
    "password",
    "key",
    "digest",
    "revision",
)  # parts of names of fields that nobody typed, or typed secretly
LONGEST_KEPT = 10_000  # characters of one field


def status_of(error: Exception) -> int:
    """Return the HTTP status of a refusal: 403 not this person, 409 no longer so, 422 not like this."""
    if isinstance(error, NotAllowed):
        return 403
    return 409 if isinstance(error, MOVED) else 422


def refused(request: HttpRequest, error: DeploymentError | CheckError) -> HttpResponse:
    """Return the page of a refusal that a service raised, with its code, its text, and what the person had typed."""
    status = status_of(error)
    return answer(request, status, code=str(error.code), text=str(error))


def answer(request: HttpRequest, status: int, *, template: str = "", code: str = "", text: str = "") -> HttpResponse:
    """Return an error as a page, or for HTMX as a fragment that stands in its own place."""
    fragment = f"errors/_{template or status}.html"
    context = {"code": code, "text": text, "status": status, "sent": list(sent(request)), "fragment": fragment}
    return private(render(request, fragment if wants_fragment(request) else "errors/page.html", context, status=status))


def sent(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """Yield what the person typed into the form, so that nothing of it is lost."""
    for name, value in request.POST.items():
        if isinstance(value, str) and value.strip() and not any(part in name for part in KEPT_OUT):
            yield name.replace("_", " ").capitalize(), value[:LONGEST_KEPT]


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 # Django names it
    """Answer 400. Nothing about such a request is believed, so the page has no shell."""
    return bare(request, 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403 for what Django itself refuses."""
    return answer(request, 403, text=str(exception))


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001 # Django names it
    """Answer 403 to a form that does not carry this person's token."""
    return answer(request, 403, template="csrf")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 # Django names it
    """Answer 404, for what is not there and for what this person may not know of."""
    return answer(request, 404)


def broken(request: HttpRequest) -> HttpResponse:
    """Answer 503 when the control database does not answer, else 500. Nothing is asked from it to say so."""
    return bare(request, 503 if isinstance(sys.exception(), OperationalError) else 500)


def bare(request: HttpRequest, status: int) -> HttpResponse:
    """Return an error page that needs neither the person nor the control database."""
    fragment = f"errors/_{status}.html"
    context = {"status": status, "fragment": fragment, "request_id": getattr(request, "request_id", "")}
    name = fragment if wants_fragment(request) else "errors/page.html"
    return private(HttpResponse(render_to_string(name, context), status=status))
