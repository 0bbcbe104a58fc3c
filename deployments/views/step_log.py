"""The log of one step: which line failed?"""

from django import forms
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_safe

from deployments.models import MigrationRun, Step
from deployments.selectors.run_page import jobs_of
from deployments.selectors.step_log import log_page, raw_log, step_of
from deployments.states import StepState
from deployments.views.base import PageRequest, page, private, unchanged
from deployments.views.run import found


class Begin(forms.Form):
    """Which line a page of a log begins with."""

    begin = forms.IntegerField(min_value=1, max_value=2**31 - 1, required=False)


@require_safe
def step(request: PageRequest, number: int, step_id: int) -> HttpResponse:
    """Show the log of a step, the last lines unless asked otherwise. Raises Http404."""
    this = found(request, number)
    form = Begin(request.GET)
    begin = form.cleaned_data["begin"] if form.is_valid() else None
    seen = log_page(_step(this, step_id), begin=begin)
    databases = [job.database.name for job in jobs_of(this)]
    context = {
        "run": this,
        "step": seen.step,
        "seen": seen,
        "begin": begin,
        "has_failed": seen.step.state in {StepState.FAILED, StepState.INTERRUPTED} and bool(seen.step.summary),
        "database": seen.step.job.database.name,
        "many": len(databases) > 1,
    }
    return unchanged(request, seen.version) or page(request, "runs/step", context)


@require_safe
def raw(request: PageRequest, number: int, step_id: int) -> HttpResponseBase:
    """Send the whole log as text: number, instant and line, with tabs between. Raises Http404."""
    this = _step(found(request, number), step_id)
    name = f"run-{number}-step-{this.position}-attempt-{this.attempt}.txt"
    response = StreamingHttpResponse(raw_log(this), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return private(response)


def _step(this: MigrationRun, step_id: int) -> Step:
    step = step_of(this, step_id)
    if step is None:
        raise Http404
    return step
