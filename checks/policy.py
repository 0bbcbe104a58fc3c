"""What a plan needs, and what of it is unmet. `unmet` is the only answer to "why does it wait?"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from checks.errors import CheckError
from checks.risk import Risk

APPROVALS = {
    # The customer's policy: a safe change is a standard change, a high-risk one takes two pairs of eyes of two kinds.
    Risk.SAFE: (),
    Risk.CONTROLLED: ("dba",),
    Risk.HIGH: ("dba", "architect"),
}
SOAK_SECONDS = 86_400  # the customer's policy: a day between the change that makes something superfluous and its end
LONGEST_SOAK_SECONDS = 365 * 86_400
WATCH_SECONDS = 600  # the customer's policy: ten minutes under watch after a deploy
LONGEST_WATCH_SECONDS = 86_400
RULES = frozenset({"approvals", "staging_first", "backup", "watch_seconds", "contract_soak_seconds"})
NOT_ASKED = ("rehearsal", "soak time in staging", "low-traffic window", "verified backup")
"""What a later capability will ask for. Until then a page says "not asked by this policy", never "passed"."""


class PolicyUnreadable(CheckError):
    """The rules of a policy are not of the form that is known."""

    code = "policy-unreadable"

    def __init__(self, *, problem: str) -> None:
        super().__init__(
            f"The policy cannot be read: {problem}. No run can be judged by it, so none starts. "
            "Correct it and save it as a new version."
        )


@dataclass(frozen=True, slots=True)
class Requirements:
    """What one plan needs before it may start. It is part of the plan's digest."""

    approvals: tuple[str, ...]  # one role per approval; a person counts for one
    staging_first: bool
    rollback: bool  # every migration has a rollback script
    backup: bool  # a dump of the database before anything is changed
    watch_seconds: int  # how long the application's health is watched afterwards
    # How long an expand must have been deployed before its contract; None where neither that is asked nor that the
    # old application is gone.
    contract_soak_seconds: int | None = None

    @classmethod
    def of_plan(cls, values: Mapping[str, Any]) -> Requirements:
        """Return the requirements that a plan was frozen with."""
        return cls(**{**values, "approvals": tuple(values["approvals"])})

    def as_plan(self) -> dict[str, Any]:
        """Return the requirements as the values that are digested."""
        return {
            "approvals": list(self.approvals),
            "staging_first": self.staging_first,
            "rollback": self.rollback,
            "backup": self.backup,
            "watch_seconds": self.watch_seconds,
            "contract_soak_seconds": self.contract_soak_seconds,
        }


@dataclass(frozen=True, slots=True)
class Given:
    """One approval as it stands: who, and as what."""

    person: str
    role: str


@dataclass(frozen=True, slots=True)
class Unmet:
    """One thing a run still waits for: the rule's name, and a sentence for the page."""

    rule: str
    text: str


def requirements(rules: Mapping[str, Any], *, protected: bool, risk: Risk, ignores: bool = False) -> Requirements:
    """Return what a plan of this class needs in an environment with these rules.

    One that `ignores` findings needs at least one person who accepts that, if the environment is protected.

    `rules` may set "approvals" per class and what RULES names besides; what it does not name follows
    the defaults, which ask nothing of an environment that is not protected. Raises PolicyUnreadable.
    """
    if unknown := sorted(set(rules) - RULES):
        raise PolicyUnreadable(problem=f"no rule is called {', '.join(unknown)}")
    approvals = rules.get("approvals", {})
    if not isinstance(approvals, Mapping) or not set(approvals) <= {one.value for one in Risk}:
        raise PolicyUnreadable(problem='"approvals" must name classes')
    asked = approvals.get(risk.value, APPROVALS[risk] if protected else ())
    if ignores and protected and not asked:
        asked = APPROVALS[Risk.CONTROLLED]
    if not isinstance(asked, list | tuple) or not all(one in ("dba", "architect") for one in asked):
        raise PolicyUnreadable(problem='only "dba" and "architect" approve')
    watch_seconds = rules.get("watch_seconds", WATCH_SECONDS if protected else 0)
    if type(watch_seconds) is not int or not 0 <= watch_seconds <= LONGEST_WATCH_SECONDS:
        raise PolicyUnreadable(problem='"watch_seconds" must be a whole number of seconds, at most a day')
    soak_seconds = rules.get("contract_soak_seconds", SOAK_SECONDS if protected else None)
    if soak_seconds is not None and (type(soak_seconds) is not int or not 0 <= soak_seconds <= LONGEST_SOAK_SECONDS):
        raise PolicyUnreadable(problem='"contract_soak_seconds" must be null or whole seconds, at most a year')
    return Requirements(
        approvals=tuple(asked),
        staging_first=_flag(rules, "staging_first", protected=protected),
        rollback=protected,
        backup=_flag(rules, "backup", protected=protected),
        watch_seconds=watch_seconds,
        contract_soak_seconds=soak_seconds,
    )


def _flag(rules: Mapping[str, Any], name: str, *, protected: bool) -> bool:
    value = rules.get(name, protected)
    if not isinstance(value, bool):
        raise PolicyUnreadable(problem=f'"{name}" must be true or false')
    return value


def unmet(needs: Requirements, *, given: Iterable[Given], missing_in_staging: Iterable[str]) -> tuple[Unmet, ...]:
    """Return what a run still needs, in the order a person would see to it; empty when it may start.

    `missing_in_staging` names the migrations of the plan that an earlier environment does not have yet.
    """
    waits = []
    if needs.staging_first and (absent := sorted(missing_in_staging)):
        waits.append(Unmet("staging-first", f"Not yet in every earlier environment: {', '.join(absent)}."))
    wanted = Counter(needs.approvals)
    wanted.subtract(Counter(one.role for one in given))
    for role, count in sorted(wanted.items()):
        if count > 0:
            name = {"dba": "DBA", "architect": "architect"}[role]
            waits.append(Unmet(f"approval-{role}", f"Waits for approval by {count} {name}."))
    return tuple(waits)
