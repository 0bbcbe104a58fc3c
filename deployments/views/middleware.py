"""What happens to every request before and after its view: an id, the sign-in, and refusals as pages."""

import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.shortcuts import resolve_url
from django.utils.http import url_has_allowed_host_and_scheme

from checks.errors import CheckError
from deployments.errors import DeploymentError
from deployments.views.base import PageRequest
from deployments.views.errors import answer, refused

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # without letters that are read as digits
LENGTH = 12
NOT_ALLOWED = 405
Answer = Callable[[HttpRequest], HttpResponseBase]


class RequestId:
    """Gives each request an id: on the page, in the answer's headers, in every log line and audit event."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, with the id in `X-Request-ID`. One that came with the request is not believed."""
        request_id = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        request.request_id = request_id  # type: ignore[attr-defined]  # see PageRequest
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


class SignInRequired(LoginRequiredMiddleware):
    """Sends who is not signed in to the sign-in page, and from there back to where they were."""

    def handle_no_permission(self, request: PageRequest, view_func: Callable[..., Any]) -> HttpResponseBase:  # type: ignore[override]
        """Redirect; a fragment is answered with 401, and its page goes to the sign-in."""
        login_url = resolve_url(self.get_login_url(view_func))
        redirect = redirect_to_login(way_back(request), login_url, self.get_redirect_field_name(view_func))
        if not request.htmx:
            return redirect
        return HttpResponse(status=401, headers={"HX-Redirect": redirect["Location"]})


def way_back(request: PageRequest) -> str:
    """Return the page the person sees: the one that holds a fragment or a form, not the address of either."""
    if request.htmx:
        return request.htmx.current_url_abs_path or "/"
    if request.method in {"GET", "HEAD"}:
        return request.get_full_path()
    came_from = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(came_from, {request.get_host()}, require_https=request.is_secure()):
        return "/"
    parts = urlsplit(came_from)
    return parts.path + (f"?{parts.query}" if parts.query else "")


class Refusals:
    """Shows a refusal that no view showed itself, with its code and its own words, and no answer that is blank."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer. What is not read by this way gets a page, and keeps the header that says which way it is."""
        response = self.get_response(request)
        if response.status_code != NOT_ALLOWED or not isinstance(response, HttpResponseNotAllowed):
            return response
        shown = answer(request, NOT_ALLOWED)
        shown["Allow"] = response["Allow"]
        return shown

    def process_exception(self, request: PageRequest, error: Exception) -> HttpResponse | None:
        """Return the page of a refusal; leave every other error alone."""
        if isinstance(error, DeploymentError | CheckError):
            return refused(request, error)
        return None
