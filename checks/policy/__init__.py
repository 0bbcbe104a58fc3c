"""What a plan needs, and what of it is unmet. `unmet` is the only answer to "why does it wait?"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from checks.budget import Budget, budget_of
from checks.errors import CheckError
from checks.policy.backups import PG_DUMP, asked_of
from checks.policy.collisions import ALL_WARN, LONGEST_WAIT_SECONDS, WAIT_SECONDS, Collision, Response, responses_of
from checks.policy.lane import REHEARSAL_HOURS, automatic_of, rehearsal_hours_of
from checks.policy.windows import Window, next_opening, open_until, window_of
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
PLAIN_ROWS = 100_000  # in one UPDATE or DELETE: 1.3 s at the measured 77,000 rows a second, 6.5 s on a slow server
RULES = frozenset(
    {
        "approvals",
        "staging_first",
        "backup",
        "backup_driver",
        "verified_backup_gb",
        "sampled_backup_gb",
        "rehearsal_hours",
        "watch_seconds",
        "contract_soak_seconds",
        "windows",
        "blocking_budget",
        "collisions",
        "collision_wait_seconds",
        "strict_scripts",
        "plain_rows_limit",
        "automatic_rollback",
    }
)
NOT_ASKED = ("soak time in staging",)
"""What a later capability will ask for. Until then a page says "not asked by this policy", never "passed"."""


class PolicyUnreadable(CheckError):
    """The rules of a policy are not of the form that is known."""

    code = "policy-unreadable"

    def __init__(self, *, problem: str) -> None:
        super().__init__(
            f"The policy cannot be read: {problem}. No run can be judged by it, so none starts. "
            "Correct it and save it as a new version."
        )


Read = TypeVar("Read")


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
    windows: tuple[Window, ...] = ()  # when it may run; empty: at any time
    collisions: Mapping[Collision, Response] = field(default_factory=lambda: ALL_WARN)
    collision_wait_seconds: int = 0
    verified_backup_gb: int | None = None  # up to this size the dump is restored and compared first; None: not asked
    sampled_backup_gb: int | None = None  # up to this size it is, and a sample of the rows compared
    backup_driver: str = PG_DUMP  # who makes it: us, or a command that the server's configuration names
    rehearsal_hours: int | None = None  # how old the proof of the way back may be; None: not asked
    automatic_rollback: tuple[str, ...] = ()  # after which failures it is rolled back by itself, by their codes

    @classmethod
    def of_plan(cls, values: Mapping[str, Any]) -> Requirements:
        """Return the requirements that a plan was frozen with."""
        read: dict[str, Any] = {name: tuple(values.get(name, ())) for name in ("approvals", "automatic_rollback")}
        if "windows" in values:  # a plan of before format 5 asks for none
            read["windows"] = tuple(window_of(one) for one in values["windows"])
            read["collisions"] = {Collision(kind): Response(done) for kind, done in values["collisions"].items()}
        return cls(**{**values, **read})

    def as_plan(self) -> dict[str, Any]:
        """Return the requirements as the values that are digested."""
        return {
            "approvals": list(self.approvals),
            "staging_first": self.staging_first,
            "rollback": self.rollback,
            "backup": self.backup,
            "watch_seconds": self.watch_seconds,
            "contract_soak_seconds": self.contract_soak_seconds,
            "windows": [one.as_plan() for one in self.windows],
            "collisions": {kind.value: done.value for kind, done in self.collisions.items()},
            "collision_wait_seconds": self.collision_wait_seconds,
            "verified_backup_gb": self.verified_backup_gb,
            "sampled_backup_gb": self.sampled_backup_gb,
            "backup_driver": self.backup_driver,
            "rehearsal_hours": self.rehearsal_hours,
            "automatic_rollback": list(self.automatic_rollback),
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


def requirements(
    rules: Mapping[str, Any], *, protected: bool, risk: Risk, ignores: bool = False, wants_more: bool = False
) -> Requirements:
    """Return what a plan of this class needs in an environment with these rules.

    One that `ignores` findings, or `wants_more` time from the application than the policy's budget gives, needs at
    least one person who accepts that, if the environment is protected. Windows bind what is not safe, and what wants
    more.

    `rules` may set "approvals" per class and what RULES names besides; what it does not name follows
    the defaults, which ask nothing of an environment that is not protected. Raises PolicyUnreadable.
    """
    if unknown := sorted(set(rules) - RULES):
        raise PolicyUnreadable(problem=f"no rule is called {', '.join(unknown)}")
    approvals = rules.get("approvals", {})
    if not isinstance(approvals, Mapping) or not set(approvals) <= {one.value for one in Risk}:
        raise PolicyUnreadable(problem='"approvals" must name classes')
    asked = approvals.get(risk.value, APPROVALS[risk] if protected else ())
    if (ignores or wants_more) and protected and not asked:
        asked = APPROVALS[Risk.CONTROLLED]
    if not isinstance(asked, list | tuple) or not all(one in ("dba", "architect") for one in asked):
        raise PolicyUnreadable(problem='only "dba" and "architect" approve')
    watch_seconds = rules.get("watch_seconds", WATCH_SECONDS if protected else 0)
    if type(watch_seconds) is not int or not 0 <= watch_seconds <= LONGEST_WATCH_SECONDS:
        raise PolicyUnreadable(problem='"watch_seconds" must be a whole number of seconds, at most a day')
    wait_seconds = rules.get("collision_wait_seconds", WAIT_SECONDS if protected else 0)
    if type(wait_seconds) is not int or not 0 <= wait_seconds <= LONGEST_WAIT_SECONDS:
        raise PolicyUnreadable(problem='"collision_wait_seconds" must be a whole number of seconds, at most an hour')
    backups = _read(asked_of, rules, protected=protected)
    windows = _windows(rules)
    blocking_budget(rules)  # read here too, so that a policy is refused as a whole
    is_strict(rules, protected=protected)
    plain_rows_limit(rules, protected=protected)
    soak_seconds = rules.get("contract_soak_seconds", SOAK_SECONDS if protected else None)
    if soak_seconds is not None and (type(soak_seconds) is not int or not 0 <= soak_seconds <= LONGEST_SOAK_SECONDS):
        raise PolicyUnreadable(problem='"contract_soak_seconds" must be null or whole seconds, at most a year')
    return Requirements(
        approvals=tuple(asked),
        staging_first=_flag(rules, "staging_first", protected=protected),
        rollback=protected,
        backup=backups.backup,
        watch_seconds=watch_seconds,
        contract_soak_seconds=soak_seconds,
        windows=windows if wants_more or risk is not Risk.SAFE else (),
        collisions=_read(responses_of, rules.get("collisions", {}), protected=protected),
        collision_wait_seconds=wait_seconds,
        verified_backup_gb=backups.verified_gb,
        sampled_backup_gb=backups.sampled_gb,
        backup_driver=backups.driver,
        rehearsal_hours=_read(rehearsal_hours_of, rules.get("rehearsal_hours", REHEARSAL_HOURS if protected else None)),
        automatic_rollback=_read(automatic_of, rules.get("automatic_rollback", [])),
    )


def way_back(needs: Requirements) -> Requirements:
    """Return what a way back needs of it: nothing that would hold it up, and only what is done then.

    It waits neither for earlier environments nor for a window, dumps and watches nothing, and is warned of collisions.
    """
    return replace(
        needs,
        staging_first=False,
        backup=False,
        verified_backup_gb=None,
        sampled_backup_gb=None,
        backup_driver=PG_DUMP,
        rehearsal_hours=None,
        automatic_rollback=(),
        watch_seconds=0,
        contract_soak_seconds=None,
        windows=(),
        collisions=ALL_WARN,
        collision_wait_seconds=0,
    )


def blocking_budget(rules: Mapping[str, Any]) -> Budget:
    """Return how long the application may wait by these rules, and what else stops a migration.

    Raises PolicyUnreadable.
    """
    return _read(budget_of, rules.get("blocking_budget", {}))


def plain_rows_limit(rules: Mapping[str, Any], *, protected: bool) -> int | None:
    """Return how many rows a deploy may change in one UPDATE or DELETE that is not run in batches; None: any number.

    Raises PolicyUnreadable.
    """
    limit = rules.get("plain_rows_limit", PLAIN_ROWS if protected else None)
    if limit is not None and (type(limit) is not int or limit < 0):
        raise PolicyUnreadable(problem='"plain_rows_limit" must be null or a whole number of rows')
    return limit


def _windows(rules: Mapping[str, Any]) -> tuple[Window, ...]:
    asked = rules.get("windows", [])
    if not isinstance(asked, list):
        raise PolicyUnreadable(problem='"windows" must be a list')
    return tuple(_read(window_of, one) for one in asked)


def _read(reader: Callable[..., Read], value: object, **options: bool) -> Read:
    try:
        return reader(value, **options)
    except ValueError as wrong:
        raise PolicyUnreadable(problem=str(wrong)) from wrong


def is_strict(rules: Mapping[str, Any], *, protected: bool) -> bool:
    """Return whether scripts with what no runner can undo or bound are refused here, not only told and classed higher.

    By default a protected environment refuses them. Raises PolicyUnreadable.
    """
    return _flag(rules, "strict_scripts", protected=protected)


def _flag(rules: Mapping[str, Any], name: str, *, protected: bool) -> bool:
    value = rules.get(name, protected)
    if not isinstance(value, bool):
        raise PolicyUnreadable(problem=f'"{name}" must be true or false')
    return value


def unmet(
    needs: Requirements,
    *,
    given: Iterable[Given],
    missing_in_staging: Iterable[str],
    now: datetime,
    unproven: str = "",
) -> tuple[Unmet, ...]:
    """Return what a run still needs, in the order a person would see to it; empty when it may start.

    `missing_in_staging` names the migrations of the plan that an earlier environment does not have yet; `now` is an
    aware moment; `unproven` is why its way back is not proven well enough, "" if it is or cannot be asked.
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
    if needs.rehearsal_hours is not None and unproven:
        waits.append(Unmet("rehearsal", unproven))
    if closed := closed_window(needs, now):
        waits.append(Unmet("window", closed))
    return tuple(waits)


def closed_window(needs: Requirements, now: datetime) -> str:
    """Return when the next window opens, as a sentence for people; "" if one is open at `now`, or none is asked for."""
    if not needs.windows or open_until(needs.windows, now):
        return ""
    opens = next_opening(needs.windows, now)
    if opens is None:
        raise AssertionError("every window opens within eight days")
    first = next(one for one in needs.windows if next_opening([one], now) == opens)
    local = opens.astimezone(first.zone)
    return f"Waits for its window: it opens on {local:%A %Y-%m-%d at %H:%M} ({first.timezone})."
