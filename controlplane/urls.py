"""Every address of the product, and who answers when something goes otherwise."""

from django.urls import include, path

urlpatterns = [path("", include("deployments.urls"))]

handler400 = "deployments.views.errors.bad_request"
handler403 = "deployments.views.errors.forbidden"
handler404 = "deployments.views.errors.not_found"
handler500 = "deployments.views.errors.broken"
