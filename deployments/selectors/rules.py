"""What a policy asks, in words."""

from collections import Counter
from dataclasses import dataclass

from checks.policy import NOT_ASKED, PolicyUnreadable, Requirements, requirements
from checks.risk import Risk
from deployments.models import Environment, Policy

NOTHING = "not asked"
NAMES = {"dba": "DBA", "architect": "architect"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing a policy may ask: its name, and what it asks per class, from safe to high-risk."""

    name: str
    asked: tuple[str, ...]

    @property
    def of_every_class(self) -> str:
        """What it asks of every class alike; "" if that differs."""
        return self.asked[0] if len(set(self.asked)) == 1 else ""


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy in force in an environment. `problem` says why it cannot be read; then there are no rules."""

    environment: Environment
    policy: Policy
    rules: tuple[Rule, ...]
    not_asked: tuple[str, ...]
    problem: PolicyUnreadable | None = None


def in_force(environment: Environment) -> InForce:
    """Return the newest policy of an environment, in words."""
    policy = environment.policies.select_related("created_by").latest("version")
    try:
        needs = [requirements(policy.rules, protected=environment.is_protected, risk=risk) for risk in Risk]
    except PolicyUnreadable as problem:
        return InForce(environment, policy, (), NOT_ASKED, problem)
    told = [words_of(one) for one in needs]
    rules = tuple(Rule(name, tuple(words[name] for words in told)) for name in told[0])
    return InForce(environment, policy, rules, NOT_ASKED)


def words_of(needs: Requirements) -> dict[str, str]:
    """Return what is asked, each thing by its name; what is not asked says so."""
    return {
        "Approvals": approvals_in_words(needs.approvals),
        "Earlier environments": "must have it first" if needs.staging_first else NOTHING,
        "Rollback script": "with every migration" if needs.rollback else NOTHING,
        "Backup": "before anything is changed" if needs.backup else NOTHING,
        "Watch": watch_in_words(needs.watch_seconds),
        "Contract": soak_in_words(needs.contract_soak_seconds),
    }


def approvals_in_words(roles: tuple[str, ...]) -> str:
    """Return which approvals are asked: one DBA and one architect."""
    counts = Counter(roles)
    told = [f"{'one' if counts[role] == 1 else counts[role]} {NAMES[role]}" for role in NAMES if counts[role]]
    return " and ".join(told) or NOTHING


def soak_in_words(seconds: int | None) -> str:
    """Return how long an expand must have been there before its contract: 24 h after its expand."""
    if seconds is None:
        return NOTHING
    told = f"{seconds // 3600}\u00a0h" if seconds % 3600 == 0 and seconds else f"{seconds}\u00a0s"
    return f"{told} after its expand, without the old application"


def watch_in_words(seconds: int) -> str:
    """Return how long the application is watched: 10 min, 90 s."""
    if seconds == 0:
        return NOTHING
    return f"{seconds // 60}\u00a0min" if seconds % 60 == 0 else f"{seconds}\u00a0s"
