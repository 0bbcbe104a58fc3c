"""Asking for a rehearsal of a run's plan by a press."""

from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from deployments.errors import DeploymentError
from deployments.selectors.run_page import run_page
from deployments.services.decide import PlanIsAnother
from deployments.services.rehearse import request_rehearsal
from deployments.views.base import PageRequest, actor_of
from deployments.views.errors import status_of
from deployments.views.forms import ConfirmForm
from deployments.views.run import found, show


@require_http_methods(["GET", "HEAD", "POST"])
def rehearse(request: PageRequest, number: int) -> HttpResponse:
    """Queue the rehearsal of a run's plan, and go to its page. Raises Http404."""
    this = found(request, number)
    if request.method != "POST":  # a reload after a refusal
        return redirect("run", number)
    form = ConfirmForm(request.POST)
    try:
        if not form.is_valid() or form.cleaned_data["digest"] != this.digest:
            raise PlanIsAnother(number=this.number)
        rehearsal = request_rehearsal(this, request_key=form.cleaned_data["request_key"], actor=actor_of(request))
    except DeploymentError as refusal:
        this = found(request, number)
        return show(request, run_page(this, request.user), refusal=refusal, status=status_of(refusal))
    return redirect("run", rehearsal.number)
