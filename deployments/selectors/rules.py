"""What a policy asks, in words."""

from collections import Counter
from dataclasses import dataclass

from checks.budget import Budget
from checks.policy import NOT_ASKED, PolicyUnreadable, Requirements, blocking_budget, plain_rows_limit, requirements
from checks.policy.backups import PG_DUMP
from checks.policy.collisions import Response
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
    budget = budget_in_words(blocking_budget(policy.rules))
    rules = (
        *(Rule(name, tuple(words[name] for words in told)) for name in told[0]),
        Rule("Blocking budget", (budget,) * len(told)),
        Rule("Change in one piece", (plain_rows_in_words(environment, policy),) * len(told)),
    )
    return InForce(environment, policy, rules, NOT_ASKED)


def plain_rows_in_words(environment: Environment, policy: Policy) -> str:
    """Return how many rows one statement may change that is not run in batches."""
    limit = plain_rows_limit(policy.rules, protected=environment.is_protected)
    return NOTHING if limit is None else f"at most {limit:,} rows; more in batches"


def words_of(needs: Requirements) -> dict[str, str]:
    """Return what is asked, each thing by its name; what is not asked says so."""
    return {
        "Approvals": approvals_in_words(needs.approvals),
        "Earlier environments": "must have it first" if needs.staging_first else NOTHING,
        "Rollback script": "with every migration" if needs.rollback else NOTHING,
        "Backup": f"before anything is changed{_by(needs.backup_driver)}" if needs.backup else NOTHING,
        "Verified backup": verified_in_words(needs),
        "Rehearsal": rehearsal_in_words(needs.rehearsal_hours),
        "Watch": watch_in_words(needs.watch_seconds),
        "Contract": soak_in_words(needs.contract_soak_seconds),
        "Window": "; ".join(map(str, needs.windows)) or NOTHING,
        "In the way": collisions_in_words(needs),
    }


def approvals_in_words(roles: tuple[str, ...]) -> str:
    """Return which approvals are asked: one DBA and one architect."""
    counts = Counter(roles)
    told = [f"{'one' if counts[role] == 1 else counts[role]} {NAMES[role]}" for role in NAMES if counts[role]]
    return " and ".join(told) or NOTHING


def rehearsal_in_words(hours: int | None) -> str:
    """Return what is asked of the proof of a way back."""
    if hours is None:
        return NOTHING
    return f"way back proven in the last {hours}\u00a0h, where a rehearsal server is named"


def verified_in_words(needs: Requirements) -> str:
    """Return what is asked of a backup beyond being read to its end."""
    if needs.backup and needs.backup_driver != PG_DUMP:
        return f"not by Locktender: the driver {needs.backup_driver} makes it"
    if needs.verified_backup_gb is None:
        return NOTHING
    told = f"restored and compared, up to {needs.verified_backup_gb}\u00a0GB"
    if needs.sampled_backup_gb is not None and needs.sampled_backup_gb > needs.verified_backup_gb:
        told += f", and by a sample up to {needs.sampled_backup_gb}\u00a0GB"
    return f"{told}, where a rehearsal server is named"


def _by(driver: str) -> str:
    return "" if driver == PG_DUMP else f", by the driver {driver}"


def soak_in_words(seconds: int | None) -> str:
    """Return how long an expand must have been there before its contract: 24 h after its expand."""
    if seconds is None:
        return NOTHING
    told = f"{seconds // 3600}\u00a0h" if seconds % 3600 == 0 and seconds else f"{seconds}\u00a0s"
    return f"{told} after its expand, without the old application"


def collisions_in_words(needs: Requirements) -> str:
    """Return what is done about what stands in the way: waits for running dump, refuses low disk."""
    verbs = {Response.WAIT: f"waits up to {needs.collision_wait_seconds}\u00a0s for", Response.REFUSE: "refuses"}
    told = [
        f"{verb} {', '.join(kind.value.replace('-', ' ') for kind in kinds)}"
        for response, verb in verbs.items()
        if (kinds := [kind for kind, done in needs.collisions.items() if done is response])
    ]
    return "; ".join(told) or "only named"


def budget_in_words(budget: Budget) -> str:
    """Return how long the application may wait: 1 s for one, 10 s in all."""
    return f"{budget['oldest_seconds']:g}\u00a0s for one, {budget['total_seconds']:g}\u00a0s in all"


def watch_in_words(seconds: int) -> str:
    """Return how long the application is watched: 10 min, 90 s."""
    if seconds == 0:
        return NOTHING
    return f"{seconds // 60}\u00a0min" if seconds % 60 == 0 else f"{seconds}\u00a0s"
