"""A new run: what would run where, what it would need, and asking for it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from checks.errors import CheckError
from checks.policy import NOT_ASKED
from deployments.authority import Action, eligible, may, require, seen_environments
from deployments.errors import DeploymentError
from deployments.models import Environment, Migration, MigrationRun
from deployments.planning import PlanBlocked
from deployments.selectors.conflicts import Conflict, conflicts_with
from deployments.selectors.readings import Reading, newest_reading, readings_of
from deployments.selectors.rules import words_of
from deployments.services.draft import Draft, draft_deploy
from deployments.services.observe import request_observation
from deployments.services.plan import request_deploy
from deployments.services.plan_refusals import AlreadyRequested
from deployments.views.base import PageRequest, actor_of, page, unchanged
from deployments.views.errors import status_of
from deployments.views.forms import ConfirmForm

LONGEST_REASON = 2000  # characters


class NewRunForm(ConfirmForm):
    """Why a run is asked for. The digest stands beside the plan that is shown, so that both change together."""

    reason = forms.CharField(
        label="Reason",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=LONGEST_REASON,
        help_text="For the people who approve it, and for the record. One sentence is enough.",
        error_messages={"required": "A run needs a reason, for the people who approve it. Nothing was planned."},
    )
    change_reference = forms.CharField(
        label="Change reference",
        max_length=120,
        required=False,
        help_text="A ticket or change number, if there is one.",
    )

    def hidden_fields(self) -> list[forms.BoundField]:
        """Return the hidden fields without the digest."""
        return [field for field in super().hidden_fields() if field.name != "digest"]


@dataclass(frozen=True, slots=True)
class Planned:
    """One migration that would run: its class and its findings, as the judgement has them."""

    migration: Migration
    risk: str
    findings: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run of this environment would do now, or why none can be planned."""

    environment: Environment
    readings: Sequence[Reading]
    draft: Draft | None
    refusal: DeploymentError | CheckError | None
    open_run: MigrationRun | None  # with exactly this plan

    @property
    def planned(self) -> list[Planned]:
        """The migrations in the order in which they would run."""
        if self.draft is None:
            return []
        shown = self.draft.judged.shown
        return [Planned(one, shown[one.name]["class"], shown[one.name]["findings"]) for one in self.draft.migrations]

    @property
    def needs(self) -> dict[str, str]:
        """What it would need, in words."""
        return words_of(self.draft.needs) if self.draft else {}

    @property
    def blocking(self) -> Sequence[tuple[str, Any]]:
        """The findings that must be resolved first, with their migrations."""
        return self.refusal.blocking if isinstance(self.refusal, PlanBlocked) else ()

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """Other open runs that touch what this would touch."""
        if self.draft is None:
            return ()
        same = self.open_run.pk if self.open_run else None
        return conflicts_with(json.loads(self.draft.plan_text), environment=self.environment.pk, without=same)

    @property
    def version(self) -> str:
        """What differs when this would."""
        read = [one.observation.pk if one.observation else 0 for one in self.readings]
        said = self.draft.digest[:16] if self.draft else getattr(self.refusal, "code", "")
        others = "".join(str(one.run) for one in self.conflicts)
        return f"{said}-{'-'.join(map(str, read))}-{self.open_run or ''}-{others}"


@require_http_methods(["GET", "HEAD", "POST"])
def new_run(request: PageRequest) -> HttpResponse:
    """Show what would run in an environment, or let one be chosen; a POST asks for the run.

    `part=preview` asks for what would run alone, which changes when a target was read again.
    """
    seen = seen_environments(request.user).select_related("application").order_by("application__slug", "rank")
    path = request.GET.get("environment", "")
    if not path and request.method != "POST":
        return page(request, "runs/choose", {"environments": seen})
    environment = next((one for one in seen if str(one) == path), None)
    if environment is None:
        raise Http404
    if request.method == "POST":
        return _ask(request, environment)
    preview = preview_of(environment)
    if same := unchanged(request, preview.version):
        return same
    return _show(request, preview, NewRunForm())


@require_POST
def read_again(request: PageRequest) -> HttpResponse:
    """Have the targets read, and lead back to what would run."""
    seen = seen_environments(request.user).select_related("application")
    environment = next((one for one in seen if str(one) == request.POST.get("environment")), None)
    if environment is None:
        raise Http404
    require(actor_of(request), Action.REQUEST, environment)
    before = newest_reading()
    request_observation()
    return _see(f"{reverse('new-run')}?environment={environment}&asked={before}")


def _ask(request: PageRequest, environment: Environment) -> HttpResponse:
    form = NewRunForm(request.POST)
    if not form.is_valid():
        return _show(request, preview_of(environment), form, status=422)
    given = form.cleaned_data
    try:
        run = request_deploy(
            environment,
            reason=given["reason"],
            change_reference=given["change_reference"],
            request_key=given["request_key"],
            digest=given["digest"],
            actor=actor_of(request),
        )
    except AlreadyRequested:
        run = MigrationRun.objects.get(request_key=given["request_key"])
    except (DeploymentError, CheckError) as refusal:
        return _show(request, preview_of(environment), form, refused=refusal, status=status_of(refusal))
    return _see(reverse("run", args=[run.number]))


def preview_of(environment: Environment) -> Preview:
    """Return what a run would do now; nothing is written."""
    readings = readings_of(environment)
    try:
        draft = draft_deploy(environment)
    except (DeploymentError, CheckError) as refusal:
        return Preview(environment, readings, None, refusal, None)
    same = MigrationRun.objects.filter(environment=environment, digest=draft.digest, finished_at=None).first()
    return Preview(environment, readings, draft, None, same)


def _show(
    request: PageRequest,
    preview: Preview,
    form: NewRunForm,
    *,
    refused: DeploymentError | CheckError | None = None,
    status: int = 200,
) -> HttpResponse:
    environment = preview.environment
    allowed = may(request.user, Action.REQUEST, environment)
    asked = _still_asked(request, preview)
    # What a person types stays where it is: with a form on the page only what stands above it is live.
    has_form = bool(allowed and preview.draft and not preview.open_run)
    action = f"{reverse('new-run')}?environment={environment}"
    live = action if asked is None else f"{action}&asked={asked}"
    live = f"{live}&part=preview" if has_form else live
    name = "runs/preview" if request.GET.get("part") == "preview" and request.htmx else "runs/new"
    context = {
        "environment": environment,
        "preview": preview,
        "form": form,
        "refused": refused,
        "has_moved": status == 409,  # noqa: PLR2004
        "allowed": allowed,
        "eligible": [] if allowed else eligible(Action.REQUEST, environment),
        "is_asked": asked is not None,
        "has_form": has_form,
        "action": action,
        "live": live,
        "not_asked": NOT_ASKED,
    }
    return page(request, name, context, status=status)


def _still_asked(request: PageRequest, preview: Preview) -> int | None:
    """Return the reading after which the targets were asked for again, as long as one of them was not read since.

    It is a reading's number and no time: the clocks of this process and of the control database may differ.
    """
    asked = request.GET.get("asked", "")
    if not (asked.isascii() and asked.isdigit()) or int(asked) > newest_reading():
        return None
    is_waiting = any(one.observation is None or one.observation.pk <= int(asked) for one in preview.readings)
    return int(asked) if is_waiting else None


def _see(path: str) -> HttpResponse:
    """Return the answer to a write that was done: look there, with a GET."""
    response = redirect(path)
    response.status_code = 303
    return response
