"""What every page is built with: one view answers with the page or with its fragment."""

from typing import Any, TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control, patch_vary_headers
from django_htmx.middleware import HtmxDetails

from deployments.actors import Actor, person
from deployments.models import User

Answer = TypeVar("Answer", bound=HttpResponseBase)


class PageRequest(HttpRequest):
    """A request as a page's view gets it: somebody is signed in, and the middleware has been there."""

    htmx: HtmxDetails
    request_id: str
    user: User


def page(request: HttpRequest, name: str, context: dict[str, Any] | None = None, *, status: int = 200) -> HttpResponse:
    """Render `FOLDER/NAME.html`, or for HTMX `FOLDER/_NAME.html`, which that page includes.

    `name` is `FOLDER/NAME`. No cache but the person's own keeps it, and that one asks again each time.
    """
    folder, _, last = name.rpartition("/")
    template = f"{folder}/_{last}.html" if wants_fragment(request) else f"{folder}/{last}.html"
    return private(render(request, template, context, status=status))


def wants_fragment(request: HttpRequest) -> bool:
    """Whether HTMX asks for a part of a page."""
    htmx = getattr(request, "htmx", None)  # absent where a middleware before HTMX's already failed
    return isinstance(htmx, HtmxDetails) and bool(htmx) and not (htmx.boosted or htmx.history_restore_request)


def unchanged(request: HttpRequest, version: object) -> HttpResponse | None:
    """Return the empty answer to a fragment that the page already shows, else None.

    `version` is whatever rises or differs when the fragment would: a run's revision, the last log line's number.
    The component `c-live` sends back, as `seen`, the one it shows.
    """
    if wants_fragment(request) and request.GET.get("seen") == str(version):
        return private(HttpResponse(status=204))
    return None


def private(response: Answer) -> Answer:
    """Return the answer marked as this person's alone, and as another one for HTMX."""
    patch_vary_headers(response, ["HX-Request", "Cookie"])
    patch_cache_control(response, private=True, no_cache=True)
    return response


def see_other(to: str, *arguments: object) -> HttpResponse:
    """Return the answer to a write that was done: look there, with a GET. `to` is the name of an address, or a path."""
    response = redirect(to, *arguments)
    response.status_code = 303
    return response


def actor_of(request: PageRequest) -> Actor:
    """Return who acts, as the audit log names them: the person, this request, their address."""
    return person(request.user, **traces_of(request))


def traces_of(request: HttpRequest) -> dict[str, str]:
    """Return what a request leaves in the audit log besides its person: its id and where it came from."""
    return {"request_id": getattr(request, "request_id", ""), "address": address_of(request)}


def address_of(request: HttpRequest) -> str:
    """Return the address the request came from, as our own proxy saw it if there is one."""
    seen = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() if settings.BEHIND_PROXY else ""
    return (seen or str(request.META.get("REMOTE_ADDR", "")))[:64]
