"""What changed in a schema: by a run, or against what a database is expected to have."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from checks.schema import NOT_RECORDED, Change, Difference, Kind, PieceChange
from deployments.authority import Action, eligible, may
from deployments.errors import DeploymentError
from deployments.models import Database
from deployments.selectors.around import schemas_around
from deployments.selectors.drift import drift_of
from deployments.services.drift import accept_drift
from deployments.views.base import PageRequest, actor_of, page
from deployments.views.database import found_database
from deployments.views.errors import status_of
from deployments.views.forms import ConfirmForm
from deployments.views.run import found

MOST_SHOWN = 50  # objects; of more it is said how many there are


@dataclass(frozen=True, slots=True)
class Shown:
    """One object that differs: its name, what became of it, and the difference line by line, as `c-diff` takes it."""

    name: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ShownDifference:
    """What a page shows of a difference."""

    objects: tuple[Shown, ...]
    soft: tuple[Shown, ...]
    more: int
    counts: str  # in words

    @classmethod
    def of(cls, difference: Difference) -> "ShownDifference":
        """Return a difference as pages show it."""
        shown = [Shown(one.object, one.kind, "\n".join(_lines(one))) for one in difference.changes[:MOST_SHOWN]]
        soft = [Shown(one.object, "moved", "\n".join(_lines(one))) for one in difference.soft]
        counts = {kind: sum(one.kind is kind for one in difference.changes) for kind in Kind}
        told = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
        return cls(tuple(shown), tuple(soft), len(difference.changes) - len(shown), told)


class AcceptForm(ConfirmForm):
    """Why the difference is to stay, bound to the reading that the person looked at."""

    seen = forms.IntegerField(widget=forms.HiddenInput)
    reason = forms.CharField(
        label="Reason",
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="For the record: who changed it, and why it is to stay.",
    )


@require_safe
def run_schema(request: PageRequest, number: int) -> HttpResponse:
    """Show what a run made of the schema of each of its databases. Raises Http404."""
    this = found(request, number)
    around = [
        {"one": one, "shown": ShownDifference.of(one.difference) if one.difference else None}
        for one in schemas_around(this)
    ]
    return page(request, "runs/schema", {"run": this, "around": around, "not_recorded": NOT_RECORDED})


@require_http_methods(["GET", "HEAD", "POST"])
def drift(request: PageRequest, pk: int) -> HttpResponse:
    """Show what a database has against what it is expected to have; a POST accepts that. Raises Http404."""
    this = found_database(request, pk)
    if request.method != "POST":
        return page(request, "databases/drift", _context(request, this))
    form = AcceptForm(request.POST)
    if not form.is_valid():
        return page(request, "databases/drift", {**_context(request, this), "form": form}, status=422)
    try:
        accept_drift(this, seen=form.cleaned_data["seen"], reason=form.cleaned_data["reason"], actor=actor_of(request))
    except DeploymentError as refusal:
        context = _context(request, this, reason=form.cleaned_data["reason"]) | {"refusal": refusal}
        return page(request, "databases/drift", context, status=status_of(refusal))
    return redirect("drift", pk)


def _context(request: PageRequest, this: Database, *, reason: str = "") -> dict[str, Any]:
    stands = drift_of(this)
    allowed = may(request.user, Action.ACCEPT_DRIFT, this)
    return {
        "database": this,
        "drift": stands,
        "shown": ShownDifference.of(stands.difference),
        "form": AcceptForm(initial={"seen": stands.seen.pk if stands.seen else None, "reason": reason}),
        "closed": "" if allowed else allowed.reason,
        "who": () if allowed else tuple(one.username for one in eligible(Action.ACCEPT_DRIFT, this)),
        "not_recorded": NOT_RECORDED,
        "layout": this.environment.application.layout,
    }


def _lines(change: Change) -> Iterator[str]:
    sign = {Kind.ADDED: "+", Kind.REMOVED: "-"}.get(change.kind, " ")
    if change.kind is not Kind.CHANGED:
        yield f"{sign} {change.object}"
    for piece in change.content:
        yield from _piece(piece)


def _piece(one: PieceChange) -> Iterator[str]:
    what = f"{one.piece}, {one.aspect}" if one.aspect else one.piece
    if one.is_long:
        yield f"  {what}:"
        yield from (f"{sign} {line}" for sign, line in one.lines)
        return
    if one.before is not None:
        yield f"- {what}: {one.before}"
    if one.after is not None:
        yield f"+ {what}: {one.after}"
