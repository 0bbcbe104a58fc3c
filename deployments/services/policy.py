"""Changing what an environment asks of a plan: a new version of its policy, never a change of an old one."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from checks.policy import requirements
from checks.risk import Risk
from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.errors import DeploymentError
from deployments.models import Environment, Policy
from deployments.services.audit import record


class PolicyReasonMissing(DeploymentError):
    """A policy was to be changed without a reason."""

    code = "policy-reason-missing"

    def __init__(self) -> None:
        super().__init__("A change of policy needs a reason, for the record. Nothing was changed. Give one.")


def change_policy(environment: Environment, *, rules: Mapping[str, Any], reason: str, actor: Actor) -> Policy:
    """Put rules in force as the next version, and return it. Runs that were planned keep the version they have.

    Raises NotAllowed, PolicyReasonMissing, and PolicyUnreadable from checks for rules that no run could be judged by.
    """
    author = require(actor, Action.MANAGE_POLICY, environment)
    if not reason.strip():
        raise PolicyReasonMissing
    for risk in Risk:
        requirements(rules, protected=environment.is_protected, risk=risk)
    with transaction.atomic():
        held = Environment.objects.select_for_update().get(pk=environment.pk)  # one change at a time
        before = held.policies.latest("version")
        policy = Policy.objects.create(
            environment=held, version=before.version + 1, rules=dict(rules), reason=reason, created_by=author
        )
        record(actor, "policy.changed", held, before=before.rules, after=policy.rules, reason=reason)
    return policy
