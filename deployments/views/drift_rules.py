"""What is left out when the schemas of one environment are compared with what is expected."""

from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from checks.schema import IgnoreRules
from deployments.authority import Action, eligible, may
from deployments.errors import DeploymentError
from deployments.models import Database, DriftRules
from deployments.selectors.snapshots import rules_of
from deployments.services.drift_rules import set_drift_rules
from deployments.views.base import PageRequest, actor_of, page
from deployments.views.database import found_database
from deployments.views.errors import status_of
from deployments.views.forms import ConfirmForm

LONGEST = 2000  # characters


class RulesForm(ConfirmForm):
    """What is ignored, one name in each line, and why."""

    partitions = forms.BooleanField(
        required=False, label="Partitions", help_text="Children of partitioned tables, which a job makes and drops."
    )
    roles = forms.CharField(
        required=False,
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="Roles",
        help_text="One in each line; * and ? stand for others. What they own and were granted is no difference.",
    )
    objects = forms.CharField(
        required=False,
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 2}),
        label="Objects",
        help_text="One in each line, with its kind as a difference names it: table public.tmp_*",
    )
    reason = forms.CharField(
        label="Reason",
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="For the record: what makes these, and why nobody has to see them change.",
    )

    def rules(self) -> IgnoreRules:
        """Return the rules of a form that is valid."""
        given = self.cleaned_data
        return IgnoreRules(
            partitions=given["partitions"], roles=_lines(given["roles"]), objects=_lines(given["objects"])
        )


@require_http_methods(["GET", "HEAD", "POST"])
def drift_rules(request: PageRequest, pk: int) -> HttpResponse:
    """Show what is ignored in the environment of a database; a POST changes it. Raises Http404."""
    this = found_database(request, pk)
    if request.method != "POST":
        return page(request, "databases/drift_rules", _context(request, this))
    form = RulesForm(request.POST)
    if not form.is_valid():
        return page(request, "databases/drift_rules", {**_context(request, this), "form": form}, status=422)
    try:
        reason = form.cleaned_data["reason"]
        set_drift_rules(this.environment, form.rules(), reason=reason, actor=actor_of(request))
    except DeploymentError as refusal:
        context = {**_context(request, this), "form": form, "refusal": refusal}
        return page(request, "databases/drift_rules", context, status=status_of(refusal))
    return redirect("drift-rules", pk)


def _context(request: PageRequest, this: Database) -> dict[str, Any]:
    allowed = may(request.user, Action.IGNORE_IN_DRIFT, this.environment)
    rules, configured = rules_of(this.environment), settings.CONFIGURATION
    initial = {"partitions": rules.partitions, "roles": "\n".join(rules.roles), "objects": "\n".join(rules.objects)}
    everywhere = IgnoreRules(
        partitions=configured.ignored_partitions,
        roles=tuple(configured.managed_roles),
        objects=tuple(configured.ignored_objects),
    )
    kept = DriftRules.objects.filter(environment=this.environment).select_related("set_by").order_by("-id").first()
    return {
        "database": this,
        "rules": list(rules.names()),
        "everywhere": list(everywhere.names()),
        "kept": kept,
        "form": RulesForm(initial=initial),
        "closed": "" if allowed else allowed.reason,
        "who": () if allowed else tuple(one.username for one in eligible(Action.IGNORE_IN_DRIFT, this.environment)),
    }


def _lines(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
