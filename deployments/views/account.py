"""The account page: who I am here, what I may do and where, and how pages look for me."""

from django import forms
from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.timezone import now
from django.views.decorators.http import require_POST, require_safe

from deployments.models import Grant
from deployments.views.base import PageRequest, page
from deployments.views.shell import KEYS, THEME, THEMES, preferences_of

YEAR_SECONDS = 365 * 24 * 3600


class PreferencesForm(forms.Form):
    """How pages look and behave in this browser."""

    theme = forms.ChoiceField(
        label="Colours", choices=list(THEMES.items()), required=False, help_text="For this browser."
    )
    keys = forms.BooleanField(
        label="Single-key shortcuts", required=False, help_text="They lead to pages and never press a button."
    )


@require_safe
def account(request: PageRequest) -> HttpResponse:
    """Show the person's roles with where they hold, and the preferences."""
    kept = preferences_of(request)
    return _show(request, PreferencesForm(initial={"theme": kept.theme, "keys": kept.has_keys}))


@require_POST
def preferences(request: PageRequest) -> HttpResponse:
    """Keep the preferences in this browser's cookies, and show the account page again."""
    form = PreferencesForm(request.POST)
    if not form.is_valid():
        return _show(request, form, status=422)
    response = redirect("account")
    _keep(response, THEME, form.cleaned_data["theme"])
    _keep(response, KEYS, "" if form.cleaned_data["keys"] else "off")
    return response


def _show(request: PageRequest, form: PreferencesForm, *, status: int = 200) -> HttpResponse:
    grants = Grant.objects.filter(user=request.user).select_related("application", "environment__application")
    grants = grants.order_by("application__slug", "environment__rank", "role")
    return page(request, "account/account", {"form": form, "grants": grants, "now": now()}, status=status)


def _keep(response: HttpResponse, name: str, value: str) -> None:
    if value:
        secure = bool(settings.SESSION_COOKIE_SECURE)
        response.set_cookie(name, value, max_age=YEAR_SECONDS, httponly=True, samesite="Lax", secure=secure)
    else:
        response.delete_cookie(name, samesite="Lax")
