"""Addresses, a list per resource. Who is not signed in gets nowhere but where `login_not_required` says."""

from django.contrib.auth.decorators import login_not_required
from django.urls import path

from deployments.views import (
    account,
    approvals,
    audit,
    databases,
    health,
    help_page,
    overview,
    runs,
    sign_in,
    styleguide,
)

urlpatterns = [
    # /
    path("", overview.overview, name="overview"),
    # /runs/
    path("runs/", runs.runs, name="runs"),
    # /approvals/
    path("approvals/", approvals.approvals, name="approvals"),
    # /databases/
    path("databases/", databases.databases, name="databases"),
    # /audit/
    path("audit/", audit.audit, name="audit"),
    # /account/
    path("account/", account.account, name="account"),
    path("account/preferences/", account.preferences, name="preferences"),
    # /sign-in/, /sign-out/
    path("sign-in/", sign_in.SignIn.as_view(), name="sign-in"),
    path("sign-out/", sign_in.SignOut.as_view(), name="sign-out"),
    # /help/
    path("help/", login_not_required(help_page.help_page), name="help"),
    # /styleguide/, while DEBUG
    path("styleguide/", styleguide.styleguide, name="styleguide"),
    # /livez, /readyz
    path("livez", login_not_required(health.livez), name="livez"),
    path("readyz", login_not_required(health.readyz), name="readyz"),
]
