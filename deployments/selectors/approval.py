"""What a person reads before they decide about a run: its scripts, what the policy asks, and what is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checks.losses import losses
from checks.policy import NOT_ASKED, Requirements, Unmet
from checks.schema import fingerprint, touched
from deployments.authority import Action, eligible, roles
from deployments.models import Approval, AuditEvent, Backup, Database, MigrationRun, Observation, Script, User
from deployments.models.approval import Verdict
from deployments.models.backup import BackupScope
from deployments.models.run import RunKind
from deployments.selectors.audit import events_about
from deployments.selectors.history import latest_observation
from deployments.selectors.judgement import About, Worst, about, worst_of
from deployments.selectors.runs import unmet_of
from deployments.selectors.touched import Relation, relations_of
from deployments.states import RunState

ROLE_NAMES = {"dba": "DBA", "architect": "architect"}
MOST_STAGING_RUNS = 50  # newest first, to find where the same migrations ran


@dataclass(frozen=True, slots=True)
class Planned:
    """One migration of a plan with its scripts. `runs` is what will be executed, `other` its way back if it has one."""

    name: str
    risk: str
    findings: tuple[Mapping[str, Any], ...]
    locks: tuple[Mapping[str, Any], ...]
    about: About
    runs: Script
    other: Script | None
    verify: Script | None


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that a policy asks. `standing` is met, unmet, in-run, or void: there is nothing to compare."""

    title: str
    standing: str
    text: str


@dataclass(frozen=True, slots=True)
class Known:
    """One piece of evidence. `state` is a sign's name; `at` is when it was measured, None if it was not."""

    title: str
    state: str
    text: str
    at: datetime | None = None
    run: MigrationRun | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """Everything about one decision."""

    run: MigrationRun
    plan: Mapping[str, Any]
    migrations: tuple[Planned, ...]
    smoke: Script | None  # read after everything else
    unmet: tuple[Unmet, ...]
    asked: tuple[Asked, ...]
    not_asked: tuple[str, ...]
    approvals: tuple[Approval, ...]
    eligible: tuple[User, ...]
    starters: tuple[User, ...]
    known: tuple[Known, ...]
    relations: tuple[Relation, ...]
    destroyed: tuple[str, ...]  # by what will run
    untold: tuple[str, ...]  # what its text does not tell
    worst: Worst | None  # the lock that costs most
    ignored: int  # findings that comments ignore
    seen: int  # the last event about the run

    @property
    def waits_for(self) -> tuple[str, ...]:
        """The roles that still have to approve, as people say them."""
        return tuple(_role(one) for one in self.unmet if one.rule.startswith("approval-"))

    @property
    def is_over_budget(self) -> bool:
        """Whether the longest lock may last longer than the application may wait: then the guard stops it."""
        longest: float = self.plan["budget"]["oldest_seconds"]
        return self.worst is not None and (self.worst.seconds is None or self.worst.seconds > longest)

    @property
    def ways_back(self) -> int:
        """How many of the migrations have a rollback script."""
        return sum(one.other is not None for one in self.migrations)

    @property
    def other_waits(self) -> tuple[Unmet, ...]:
        """What is unmet besides approvals."""
        return tuple(one for one in self.unmet if not one.rule.startswith("approval-"))


def case_of(run: MigrationRun) -> Case:
    """Return what is to be known about a run before a decision. No target is opened."""
    plan = run.plan
    migrations = tuple(_planned(run, plan))
    waits = unmet_of(run) if run.state == RunState.AWAITING else ()
    approvals = tuple(run.approvals.select_related("approver").order_by("created_at"))
    observed = {database: latest_observation(database) for database in _databases(plan)}
    lost = losses((one.name, one.runs.text()) for one in migrations)
    newest = events_about(run).last()
    needs = Requirements.of_plan(plan["requirements"])
    return Case(
        run=run,
        plan=plan,
        migrations=migrations,
        smoke=Script.objects.filter(pk=plan["smoke"]).first() if plan["smoke"] else None,
        unmet=waits,
        asked=tuple(_asked(run, needs, waits, approvals, sum(one.other is not None for one in migrations))),
        not_asked=tuple(_not_asked(run, needs)),
        approvals=approvals,
        eligible=tuple(_who_is_waited_for(run, waits)),
        starters=tuple(eligible(Action.REQUEST, run)),
        known=tuple(_known(run, plan, observed)),
        relations=relations_of(plan, observed),
        destroyed=tuple(
            dict.fromkeys((*(one.table for one in lost.tables), *(f"schema {one}" for one in lost.schemas)))
        ),
        untold=lost.unknown,
        worst=worst_of(run.judgement),
        ignored=len(plan.get("accepted", ())),
        seen=newest.seq if newest else 0,
    )


def changes_since(run: MigrationRun, seen: int) -> list[AuditEvent]:
    """Return what was recorded about a run after an event, oldest first."""
    return list(events_about(run).filter(seq__gt=seen))


def _role(waits: Unmet) -> str:
    return ROLE_NAMES[waits.rule.removeprefix("approval-")]


def _databases(plan: Mapping[str, Any]) -> list[Database]:
    return list(Database.objects.filter(pk__in=[entry["id"] for entry in plan["databases"]]).order_by("position"))


def _who_is_waited_for(run: MigrationRun, waits: Sequence[Unmet]) -> list[User]:
    """Return whose yes would count: of those who may decide, the ones with a role that is still missing."""
    missing = {one.rule.removeprefix("approval-") for one in waits if one.rule.startswith("approval-")}
    deciders = eligible(Action.DECIDE, run)
    return [one for one in deciders if missing & set(roles(one, run))] if missing else deciders


def _planned(run: MigrationRun, plan: Mapping[str, Any]) -> list[Planned]:
    entries = plan["migrations"]
    parts = ("forward", "rollback", "verify")
    scripts = Script.objects.in_bulk({entry[part] for entry in entries for part in parts if entry[part]})
    back = run.kind == RunKind.ROLLBACK
    found = []
    for entry in entries:
        judged = run.judgement["migrations"].get(entry["name"], {})
        found.append(
            Planned(
                name=entry["name"],
                risk=judged.get("class", plan["class"]),
                findings=tuple(judged.get("findings", ())),
                locks=tuple(judged.get("locks", ())),
                about=about(run.judgement, entry["name"]),
                runs=scripts[entry["rollback" if back else "forward"]],
                other=None if back else scripts.get(entry["rollback"]),
                verify=scripts.get(entry["verify"]),
            )
        )
    return found


def _asked(
    run: MigrationRun, needs: Requirements, waits: Sequence[Unmet], approvals: Sequence[Approval], ways_back: int
) -> list[Asked]:
    unmet = {one.rule: one.text for one in waits}
    given = [one for one in approvals if one.verdict == Verdict.APPROVED]
    asked = []
    for role in dict.fromkeys(needs.approvals):
        wanted = needs.approvals.count(role)
        names = ", ".join(one.approver.username for one in given if one.role == role)
        title = f"{'One' if wanted == 1 else wanted} {ROLE_NAMES[role]}{'' if wanted == 1 else 's'}"
        is_open = f"approval-{role}" in unmet or not names
        asked.append(Asked(title, "unmet" if is_open else "met", f"Approved by {names}." if names else "Nobody yet."))
    if run.kind != RunKind.DEPLOY:
        return asked  # of a way back the policy asks nothing else
    count = len(run.plan["migrations"])
    if needs.staging_first:
        asked.append(_earlier(run, unmet.get("staging-first", "")))
    if needs.rollback:
        told = f"{ways_back} of {count} migrations have one."
        asked.append(Asked("Rollback script with every migration", "met" if ways_back == count else "unmet", told))
    if needs.backup:
        told = "The run takes it before its first statement, and stops without it."
        asked.append(Asked("Backup before the first statement", "in-run", told))
    if needs.watch_seconds:
        asked.append(Asked("Health watched afterwards", "in-run", f"For {needs.watch_seconds} s after the last step."))
    if needs.contract_soak_seconds is not None:
        told = "No contract of it comes too early. What breaks old code stands at each migration."
        asked.append(Asked("Time between expand and contract", "met", told))
    return asked


def _earlier(run: MigrationRun, waits: str) -> Asked:
    title = "Every earlier environment first"
    if waits:
        return Asked(title, "unmet", waits)
    earlier = Database.objects.filter(
        environment__application=run.environment.application_id, environment__rank__lt=run.environment.rank
    )
    if not earlier.exists():
        return Asked(title, "void", "No earlier environment has a database.")
    return Asked(title, "met", "Every migration of this plan is applied there, as last observed.")


def _not_asked(run: MigrationRun, needs: Requirements) -> list[str]:
    """Return what this policy does not ask of this run, and what no policy can ask yet."""
    asks = {"approval": bool(needs.approvals)}
    if run.kind == RunKind.DEPLOY:
        asks |= {
            "every earlier environment first": needs.staging_first,
            "rollback script with every migration": needs.rollback,
            "backup before the first statement": needs.backup,
            "health watched afterwards": needs.watch_seconds > 0,
            "time between expand and contract": needs.contract_soak_seconds is not None,
        }
    return [*(name for name, is_asked in asks.items() if not is_asked), *NOT_ASKED]


def _known(run: MigrationRun, plan: Mapping[str, Any], observed: Mapping[Database, Observation | None]) -> list[Known]:
    entries = {entry["id"]: entry for entry in plan["databases"]}
    known = [_observed(database, seen, entries[database.pk], plan) for database, seen in observed.items()]
    if run.kind == RunKind.DEPLOY:
        known.append(_elsewhere(run, plan))
    known.append(Known("Rehearsal on a clone", "not-measured", "Rehearsals are not there yet."))
    for database in observed:
        kept = Backup.objects.filter(job__database=database, scope=BackupScope.DATABASE).order_by("-id").first()
        title = f"Last backup of {database.name}"
        if kept is None:
            known.append(Known(title, "not-measured", "Locktender has made none."))
        else:
            known.append(
                Known(title, "noted", f"{kept.get_level_display()}; not restored, so not verified.", kept.snapshot_at)
            )
    return known


def _observed(database: Database, seen: Observation | None, entry: Mapping[str, Any], plan: Mapping[str, Any]) -> Known:
    title = f"{database.name} as planned"
    if seen is None:
        return Known(title, "not-measured", "It was never read.")
    version = f"PostgreSQL {seen.server_version // 10000}.{seen.server_version % 10000}"
    if seen.history_hash != entry["history"]:
        return Known(
            title, "moved", f"{version}. Other migrations are applied now: preflight would refuse.", seen.observed_at
        )
    if fingerprint(touched(seen.schema, plan["touches"])) != entry["touched"]:
        told = f"{version}. What the plan touches has changed: preflight would refuse."
        return Known(title, "moved", told, seen.observed_at)
    told = f"{version}. The same migrations are applied, and what the plan touches is as it was."
    return Known(title, "passed", told, seen.observed_at)


def _elsewhere(run: MigrationRun, plan: Mapping[str, Any]) -> Known:
    """Return the newest runs that brought the same scripts to an earlier environment."""
    wanted = {(entry["name"], entry["forward"]) for entry in plan["migrations"]}
    runs = MigrationRun.objects.filter(
        environment__application=run.environment.application_id,
        environment__rank__lt=run.environment.rank,
        kind=RunKind.DEPLOY,
        state=RunState.SUCCEEDED,
    ).select_related("environment")
    left, brought = set(wanted), []
    for other in runs.order_by("-number")[:MOST_STAGING_RUNS]:
        same = left & {(entry["name"], entry["forward"]) for entry in other.plan["migrations"]}
        if same:
            left -= same
            brought.append((other, len(same)))
    title = "Run in an earlier environment"
    if not brought:
        return Known(title, "not-measured", "No run brought these scripts to an earlier environment.")
    newest = brought[0][0]
    told = " and ".join(f"{other} on {other.environment.slug} with {count}" for other, count in brought)
    told = f"Succeeded, byte for byte: {told} of these {len(wanted)}."
    return Known(title, "partly" if left else "passed", told, newest.finished_at, newest)
