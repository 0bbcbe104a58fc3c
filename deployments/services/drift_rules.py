"""Saying what is left out when the schemas of one environment are compared with what is expected."""

from django.db import transaction

from checks.schema import IgnoreRules
from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.errors import DeploymentError
from deployments.models import DriftRules, Environment
from deployments.selectors.snapshots import rules_of
from deployments.services.audit import record


class IgnoreReasonMissing(DeploymentError):
    """What is ignored was to be changed without a reason."""

    code = "ignore-reason-missing"

    def __init__(self) -> None:
        super().__init__(
            "To change what is ignored in an environment's schemas needs a reason, for the record: a difference that "
            "is ignored is seen by nobody. Nothing was changed. Give one."
        )


class IgnoresEverything(DeploymentError):
    """A rule would leave out every object or every role."""

    code = "ignores-everything"

    def __init__(self, *, rule: str) -> None:
        super().__init__(
            f"The rule {rule} leaves out everything: drift would never be seen. Nothing was changed. Name what "
            "something else makes and drops."
        )


def set_drift_rules(environment: Environment, rules: IgnoreRules, *, reason: str, actor: Actor) -> DriftRules:
    """Ignore from now on what these rules name, beside what the installation ignores, and return the row.

    What was expected until now stays expected. Raises NotAllowed, IgnoreReasonMissing, IgnoresEverything.
    """
    person = require(actor, Action.IGNORE_IN_DRIFT, environment)
    if not reason.strip():
        raise IgnoreReasonMissing
    for rule in (*rules.roles, *rules.objects):
        if not rule.strip("*? "):
            raise IgnoresEverything(rule=rule)
    with transaction.atomic():
        held = Environment.objects.select_for_update().get(pk=environment.pk)  # one change at a time
        before = rules_of(held)
        kept = DriftRules.objects.create(environment=held, rules=rules.as_data(), set_by=person, reason=reason)
        record(actor, "environment.drift-rules", held, before=before.as_data(), after=rules.as_data(), reason=reason)
    return kept
