"""The two deeds of a run that have a page of their own: cancelling it, and deciding how one in doubt goes on."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from deployments.actors import Actor
from deployments.authority import Action, NotAllowed, may
from deployments.errors import DeploymentError
from deployments.models import MigrationRun
from deployments.selectors.doubts import known_about
from deployments.selectors.run_actions import CANCEL, RESOLVE, target_of
from deployments.selectors.run_page import RunPage, run_page
from deployments.selectors.verdict_parts import in_force
from deployments.services.decide import request_cancel
from deployments.services.looks import request_look
from deployments.services.resolve import confirm_applied, give_up, run_again
from deployments.services.transition import Stale
from deployments.states import JobState, RunState
from deployments.views.base import PageRequest, actor_of, page, unchanged, wants_fragment
from deployments.views.errors import sent, status_of
from deployments.views.forms import ConfirmForm
from deployments.views.run import found

AGAIN, CONFIRM, GIVE_UP = "again", "confirm", "give-up"
REASON = forms.Textarea(attrs={"rows": 2})


class CancelForm(ConfirmForm):
    """A cancel is bound to the state it was read in: a run that began meanwhile is another thing to cancel."""

    seen_state = forms.CharField(widget=forms.HiddenInput, max_length=20)


class ResolveForm(ConfirmForm):
    """What a person decides about a run in doubt, and why."""

    choice = forms.ChoiceField(
        label="How it goes on",
        choices=[
            ("", "Choose"),
            (AGAIN, "Run again: ask the target first, then go on"),
            (CONFIRM, "Confirm: the target shows that it is applied"),
            (GIVE_UP, "Give up"),
        ],
    )
    reason = forms.CharField(label="Reason", widget=REASON, help_text="For the record. One sentence is enough.")


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: PageRequest, number: int) -> HttpResponse:
    """Say what cancelling does, and do it. Raises Http404."""
    this = found(request, number)
    if request.method != "POST":
        return _show_cancel(request, this)
    form = CancelForm(request.POST)
    try:
        if not form.is_valid() or form.cleaned_data["seen_state"] != this.state:
            raise Stale(subject=f"Run {this}", expected=_word(request.POST.get("seen_state", "")))
        request_cancel(this, actor=actor_of(request))
    except DeploymentError as refusal:
        return _show_cancel(request, found(request, number), refusal=refusal)
    return redirect("run", number)


@require_http_methods(["GET", "HEAD", "POST"])
def resolve(request: PageRequest, number: int) -> HttpResponse:
    """Explain both ways on of a run in doubt, and take one. Raises Http404."""
    this = found(request, number)
    if request.method != "POST":
        return _show_resolve(request, this, ResolveForm(initial=bound_to(this)))
    form = ResolveForm(request.POST)
    if not form.is_valid():
        return _show_resolve(request, this, form, status=422)
    try:
        # The number of the look is sent by the part of the page that shows it, which lives.
        _resolve(this, form, look=request.POST.get("look", ""), actor=actor_of(request))
    except DeploymentError as refusal:
        now = found(request, number)
        fresh = ResolveForm(initial=bound_to(now) | {name: form.cleaned_data[name] for name in ("choice", "reason")})
        moved = now.revision != form.cleaned_data["revision"]
        return _show_resolve(request, now, fresh, refusal=refusal, status=409 if moved else status_of(refusal))
    return redirect("run", number)


def _resolve(this: MigrationRun, form: ResolveForm, *, look: str, actor: Actor) -> None:
    if form.cleaned_data["revision"] != this.revision:  # decided by another person, or in doubt for another reason
        raise Stale(subject=f"Run {this}", expected="as you read it")
    reason = form.cleaned_data["reason"]
    match form.cleaned_data["choice"]:
        case "again":
            run_again(this, reason=reason, actor=actor)
        case "confirm":
            confirm_applied(this, look=int(look) if look.isdecimal() else 0, reason=reason, actor=actor)
        case _:
            give_up(this, reason=reason, actor=actor)


@require_http_methods(["GET", "HEAD", "POST"])
def look(request: PageRequest, number: int) -> HttpResponse:
    """Have the target of a run in doubt looked at again, or show what it said. Raises Http404."""
    this = found(request, number)
    if request.method == "POST":
        try:
            request_look(this, actor=actor_of(request))
        except DeploymentError as refusal:
            now = found(request, number)
            form = ResolveForm(initial=bound_to(now))
            return _show_resolve(request, now, form, refusal=refusal, status=status_of(refusal))
        return redirect("run-resolve", number)
    if not wants_fragment(request):
        return redirect("run-resolve", number)
    context = _known(request, this)
    return unchanged(request, context["version"]) or page(request, "runs/look", context)


def _show_cancel(request: PageRequest, this: MigrationRun, *, refusal: DeploymentError | None = None) -> HttpResponse:
    seen = run_page(this, request.user)
    form = CancelForm(initial=bound_to(this) | {"seen_state": this.state})
    context = {**deed_context(seen, CANCEL, refusal), "form": form}
    return page(request, "runs/cancel", context, status=status_of(refusal) if refusal else 200)


def _show_resolve(
    request: PageRequest,
    this: MigrationRun,
    form: ResolveForm,
    *,
    refusal: DeploymentError | None = None,
    status: int = 200,
) -> HttpResponse:
    seen = run_page(this, request.user)
    context = {
        **deed_context(seen, RESOLVE, refusal),
        **_known(request, this),
        "form": form,
        "sent": list(sent(request)),
    }
    return page(request, "runs/resolve", context, status=status)


def _known(request: PageRequest, this: MigrationRun) -> dict[str, Any]:
    """Return what the part of the page needs that shows what the target said."""
    job = this.jobs.filter(state=JobState.NEEDS_ATTENTION).select_related("database").first()
    known = known_about(job) if job else None
    version = f"{known.look and known.look.pk}-{known.asked and known.asked.pk}" if known else "over"
    may_ask = bool(may(request.user, Action.RESOLVE, this))
    return {"run": this, "known": known, "version": version, "may_ask": may_ask}


def deed_context(seen: RunPage, key: str, refusal: DeploymentError | None) -> dict[str, Any]:
    """Return what the page of a deed shows: the run as it is, whether the deed is closed, and what was refused."""
    door = next((one for one in seen.doors if one.key == key), None)
    word = _word(seen.run.state)
    closed = door.blocked if door else f"Run {seen.run} is {word}: there is nothing of it to {key}."
    return {
        "seen": seen,
        "run": seen.run,
        "target": target_of(seen.run),
        "has_begun": any(work.has_begun_to_migrate for work in seen.works),
        "closed": closed,
        "who": door.who if door else (),
        "refusal": refusal,
        "is_refused": isinstance(refusal, NotAllowed),
        "state_word": word,
        "in_force": in_force(seen.run, seen.works),
    }


def bound_to(this: MigrationRun) -> dict[str, object]:
    """Return what a form says of the run that its person read."""
    return {"digest": this.digest, "revision": this.revision}


def _word(state: str) -> str:
    return RunState(state).label.lower() if state in RunState.values else "as you read it"
