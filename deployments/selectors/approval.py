"""What a person reads before they decide about a run: its scripts, what the policy asks, and what is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checks.losses import losses
from checks.policy import Requirements, Unmet
from checks.rehearsal.proof import Proof
from checks.schema import fingerprint, touched
from deployments.authority import Action, eligible, roles
from deployments.models import Approval, AuditEvent, Database, MigrationRun, Observation, Script, User
from deployments.models.backup import UNSOUND, BackupScope, CheckOutcome
from deployments.models.run import RunKind
from deployments.selectors.asked import ROLE_NAMES, Asked, asked_of, not_asked
from deployments.selectors.audit import events_about
from deployments.selectors.backups import kept_backups, proven_by
from deployments.selectors.budget import reasons_for_more
from deployments.selectors.history import latest_observation
from deployments.selectors.judgement import Worst, worst_of
from deployments.selectors.rehearsals import Proven, proofs_of
from deployments.selectors.restores import Measured
from deployments.selectors.run_plan import PlannedMigration, plan_of, scripts_of
from deployments.selectors.runs import unmet_of
from deployments.selectors.touched import Relation, relations_of
from deployments.states import RunState

MOST_QUERIES = 4  # that are planned worse, named beside a decision; the rehearsal has them all
MOST_STAGING_RUNS = 50  # newest first, to find where the same migrations ran


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
    migrations: tuple[PlannedMigration, ...]
    scripts: Mapping[str, Script]  # of all of them, by their SHA-256
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
    more_time: tuple[tuple[str, str], ...]  # which script asks that the application may wait longer, and why
    seen: int  # the last event about the run

    @property
    def waits_for(self) -> tuple[str, ...]:
        """The roles that still have to approve, as people say them."""
        return tuple(_role(one) for one in self.unmet if one.rule.startswith("approval-"))

    @property
    def restore(self) -> Measured | None:
        """What a restore was found to lose when it was asked for; None of another kind of run."""
        told = self.plan.get("restore")
        return Measured(told["price"], None, 0, is_asked=False) if told else None

    @property
    def restored_from(self) -> datetime:
        """From when what a restore puts back is."""
        return datetime.fromisoformat(self.plan["restore"]["at"])

    @property
    def is_over_budget(self) -> bool:
        """Whether the longest lock may last longer than the application may wait: then the guard stops it."""
        longest: float = self.plan["budget"]["oldest_seconds"]
        return self.worst is not None and (self.worst.seconds is None or self.worst.seconds > longest)

    @property
    def locked(self) -> int:
        """How many of the relations are locked so that somebody waits."""
        return sum(bool(one.lock) for one in self.relations)

    @property
    def ways_back(self) -> int:
        """How many of the migrations have a rollback script."""
        return sum(bool(one.back) for one in self.migrations)

    @property
    def other_waits(self) -> tuple[Unmet, ...]:
        """What is unmet besides approvals."""
        return tuple(one for one in self.unmet if not one.rule.startswith("approval-"))


def case_of(run: MigrationRun) -> Case:
    """Return what is to be known about a run before a decision. No target is opened."""
    plan = run.plan
    migrations = plan_of(run).migrations
    scripts = scripts_of(migrations)
    waits = unmet_of(run) if run.state == RunState.AWAITING else ()
    approvals = tuple(run.approvals.select_related("approver").order_by("created_at"))
    observed = {database: latest_observation(database) for database in _databases(plan)}
    shown = run.judgement.get("migrations", {})
    kept = {(name, column) for name, told in shown.items() for column in told.get("keeps", ())}
    lost = losses(((one.name, scripts[one.runs].text()) for one in migrations), kept)
    newest = events_about(run).last()
    needs = Requirements.of_plan(plan["requirements"])
    return Case(
        run=run,
        plan=plan,
        migrations=migrations,
        scripts=scripts,
        smoke=Script.objects.filter(pk=plan["smoke"]).first() if plan["smoke"] else None,
        unmet=waits,
        asked=tuple(asked_of(run, needs, waits, approvals, sum(bool(one.back) for one in migrations))),
        not_asked=tuple(not_asked(run, needs)),
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
        more_time=tuple(reasons_for_more([(one.name, scripts[one.runs].text()) for one in migrations])),
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


def _known(run: MigrationRun, plan: Mapping[str, Any], observed: Mapping[Database, Observation | None]) -> list[Known]:
    entries = {entry["id"]: entry for entry in plan["databases"]}
    known = [_observed(database, seen, entries[database.pk], plan) for database, seen in observed.items()]
    if run.kind == RunKind.DEPLOY:
        known.append(_elsewhere(run, plan))
        proofs = proofs_of(run)
        known += [_rehearsed(one) for one in proofs]
        known += [_planned_queries(one, one.proof) for one in proofs if one.proof is not None]
    known += [_backed_up(database) for database in observed]
    return known


def _backed_up(database: Database) -> Known:
    title = f"Last backup of {database.name}"
    whole = (BackupScope.DATABASE, BackupScope.SERVER)
    kept = kept_backups().filter(job__database=database, scope__in=whole).order_by("-pk").first()
    if kept is None:
        return Known(title, "not-measured", "Locktender has none.")
    outcome = proven_by(list(kept.checks.order_by("-pk")))
    if kept.scope == BackupScope.SERVER and outcome not in UNSOUND:
        told = f"Made by the driver {kept.driver}, restore point {kept.restore_point}; not restored by us."
        return Known(title, "noted", told, kept.snapshot_at)
    if outcome is CheckOutcome.EQUAL:
        return Known(title, "passed", "Verified: restored, and equal.", kept.snapshot_at)
    if outcome in UNSOUND:
        return Known(title, "failed", f"{outcome.label}.", kept.snapshot_at)
    how = outcome.label if outcome else kept.get_level_display()
    return Known(title, "noted", f"{how}; not verified.", kept.snapshot_at)


def _rehearsed(one: Proven) -> Known:
    title = f"Way back on {one.database.name}"
    if one.proof is None:
        return Known(title, "not-measured", "It was not rehearsed with exactly these scripts.")
    told = f"{one.proof.sentence[:1].upper()}{one.proof.sentence[1:]}."
    return Known(title, "passed" if one.is_proven else "failed", told, one.made_at, one.run)


def _planned_queries(one: Proven, proof: Proof) -> Known:
    """Return whether queries of the application are planned worse with the new schema, by the newest rehearsal."""
    title = f"Plans of queries on {one.database.name}"
    unknown = "; ".join(proof.unplanned[:MOST_QUERIES])
    if not proof.queries:
        return Known(title, "not-measured", f"None was compared: {unknown or 'none is known'}.", one.made_at, one.run)
    if proof.plans:
        told = "; ".join(f"{found.query}: {found.sentence}" for found in proof.plans[:MOST_QUERIES])
        more = len(proof.plans) - MOST_QUERIES
        told += f"; and {more} more" if more > 0 else ""
        return Known(title, "failed", f"Worse: {told}.", one.made_at, one.run)
    told = f"{proof.queries} compared on the clone: none reads a large table whole that it did not, or costs twice."
    told += f" Not known: {unknown}." if unknown else ""
    return Known(title, "partly" if unknown else "passed", told, one.made_at, one.run)


def _observed(database: Database, seen: Observation | None, entry: Mapping[str, Any], plan: Mapping[str, Any]) -> Known:
    title = f"{database.name} as planned"
    if seen is None:
        return Known(title, "not-measured", "It was never read.")
    version = f"PostgreSQL {seen.server_version // 10000}.{seen.server_version % 10000}"
    if seen.history_hash != entry["history"]:
        return Known(
            title, "moved", f"{version}. Other migrations are applied now: preflight would refuse.", seen.observed_at
        )
    if fingerprint(touched(seen.objects_by_name, plan["touches"])) != entry["touched"]:
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
