"""Show the policy of an environment, or put a new version of it in force."""

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from checks.policy import requirements
from checks.risk import Risk
from deployments.management.base import Command as Base
from deployments.services.policy import change_policy


class Command(Base):
    """Read or change a policy."""

    help = "Prints what an environment asks of each class of plan; with --set and --reason it changes that first."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take APPLICATION/ENVIRONMENT, and what to change."""
        parser.add_argument("environment")
        parser.add_argument("--set", action="append", default=[], metavar="RULE=JSON", help="as: watch_seconds=60")
        parser.add_argument("--unset", action="append", default=[], metavar="RULE", help="back to the default")
        parser.add_argument("--reason", default="")
        parser.add_argument("--as", dest="person", metavar="NAME", help="who changes it; the audit log names them")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Change it if asked, and print version and requirements."""
        environment = self.environment(options["environment"])
        policy = environment.policies.latest("version")
        if options["set"] or options["unset"]:
            rules = {name: value for name, value in policy.rules.items() if name not in options["unset"]}
            rules |= dict(_assignment(text) for text in options["set"])
            policy = change_policy(environment, rules=rules, reason=options["reason"], actor=self.actor(options))
        self.stdout.write(f"Policy of {environment}, version {policy.version}: {policy.reason}")
        for risk in Risk:
            needs = requirements(policy.rules, protected=environment.is_protected, risk=risk)
            self.stdout.write(f"  {risk.value}: {json.dumps(needs.as_plan())}")


def _assignment(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError as unreadable:
        raise CommandError(
            f'policy-unreadable: "{text}" is not RULE=JSON. Nothing was changed. '
            'Write it as watch_seconds=60 or approvals={"safe": ["dba"]}.'
        ) from unreadable
