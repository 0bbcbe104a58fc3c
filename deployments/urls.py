"""Addresses, a list per resource."""

from django.urls import path

from deployments.views import health

urlpatterns = [
    # /livez, /readyz
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
]
