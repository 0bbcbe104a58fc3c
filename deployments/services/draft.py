"""What a run would do if it was asked for now: a plan as a value. Nothing is written here."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from django.db.models import prefetch_related_objects

from checks.batching.limit import over_limit
from checks.policy import Requirements, is_strict, plain_rows_limit, requirements, way_back
from checks.policy.lane import Standing, second_person
from deployments.digest import canonical, digest_of
from deployments.judging import Judged
from deployments.models import (
    Database,
    Environment,
    HealthCheck,
    Migration,
    MigrationRun,
    Observation,
    Policy,
    Release,
    Script,
)
from deployments.models.run import RunKind
from deployments.planning import (
    DatabasesDiffer,
    NoDatabases,
    NothingToDo,
    NotObserved,
    PlanBlocked,
    RollbackMissing,
    pending,
    plan_content,
    require_readable_checks,
)
from deployments.selectors.budget import budget_for, wants_more
from deployments.selectors.contracts import require_time_for_contracts
from deployments.selectors.history import latest_observation
from deployments.selectors.judged import judged_on, refused_where_strict, reviews_of, seen_of
from deployments.selectors.lane import standing_of
from deployments.selectors.measured_rates import rates_of
from deployments.selectors.reported import as_result, tests_of
from deployments.selectors.runs import failed_afterwards, reverting
from deployments.services.adopt import require_not_ahead
from deployments.services.plan_refusals import NoRelease, NothingToRevert, NotOnTop, written_out

STATEMENT_WILL_FAIL = "statement-will-fail"


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan that nobody has asked for yet: what a run would do if it was frozen now."""

    kind: str
    plan_text: str
    digest: str
    policy: Policy
    judged: Judged
    needs: Requirements
    migrations: tuple[Migration, ...]  # in the order in which they would run
    observations: Mapping[Database, Observation]
    reviews: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)  # the checklist of each migration
    commit: str = ""  # of the release; "" for a plain folder
    standing: Standing | None = None  # of a way back: whether one person takes it alone

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The migrations as the plan names them."""
        return list(json.loads(self.plan_text)["migrations"])


def draft_deploy(environment: Environment) -> Draft:
    """Return everything pending in an environment as it would be frozen now.

    Raises NoRelease, NothingToDo, NotObserved, NoDatabases, DatabasesDiffer, RollbackMissing, PlanBlocked,
    ChecksUnreadable, EditedAfterApplied, HistoryUnknown, OutOfOrder, ContractTooEarly, FenceAhead.
    """
    release = Release.objects.filter(application=environment.application).order_by("-id").first()
    if release is None:
        raise NoRelease(application=environment.application.slug)
    listed = [entry.migration for entry in release.entries.select_related("migration")]
    observations = _observations(environment)
    wanted = [pending(listed, seen) for seen in observations.values()]
    databases = list(observations)
    for database, other in zip(databases[1:], wanted[1:], strict=True):
        if other != wanted[0]:
            raise DatabasesDiffer(one=str(databases[0]), other=str(database))
    if not wanted[0]:
        raise NothingToDo(environment=str(environment), count=len(listed))
    require_readable_checks(wanted[0], release.smoke)
    draft = _draft(
        environment,
        kind="deploy",
        migrations=wanted[0],
        observations=observations,
        verify={one.name: one.verify_id for one in wanted[0]},
        smoke=release.smoke_id,
    )
    contracts = require_time_for_contracts(environment, release, draft.migrations, draft.needs)
    tests = as_result(tests_of(environment.application, release.commit))
    reviews = reviews_of(draft.migrations, draft.judged, contracts, tests)
    return replace(draft, reviews=reviews, commit=release.commit)


def draft_rollback(run: MigrationRun, *, automatic: str = "") -> Draft:
    """Return the way back from what a run applied, as it would be frozen now. Nothing is written.

    `automatic` is the code of the failure after which it begins by itself.

    Raises NothingToRevert, NotOnTop, NotObserved, DatabasesDiffer, RollbackMissing, PlanBlocked.
    """
    if done := reverting(run.reverted_by.prefetch_related("jobs")):
        raise NothingToRevert(number=run.number, by=f"#{done.number}{failed_afterwards(done)}")
    observations, back = _applied_by(run)
    if not back:
        raise NothingToRevert(number=run.number)
    for seen in observations.values():
        applied = [entry["name"] for entry in seen.history]
        if later := [name for name in applied[applied.index(back[-1]) :] if name not in back]:
            raise NotOnTop(names=later, number=run.number, runs=_runs_of(later, run))
    forward = {entry["name"]: entry for entry in run.plan["migrations"]}
    known = Migration.objects.filter(application=run.environment.application, name__in=back).order_by("id")
    newest = {(one.name, one.forward_id): one for one in known}
    migrations = [newest[name, forward[name]["forward"]] for name in back]
    return _draft(
        run.environment,
        kind="rollback",
        migrations=migrations,
        observations=observations,
        # Those of the run: they could be read then, and a file that was changed since holds no way back up.
        verify={name: forward[name]["verify"] for name in back},
        reverts=run,
        automatic=automatic,
    )


def _runs_of(names: Collection[str], run: MigrationRun) -> list[str]:
    """Return the runs after this one that applied some of these migrations, latest first."""
    later = MigrationRun.objects.filter(environment=run.environment_id, kind=RunKind.DEPLOY, number__gt=run.number)
    applied = later.filter(jobs__applied__gt=0).distinct().order_by("-number")
    return [str(one) for one in applied if not {entry["name"] for entry in one.plan["migrations"]}.isdisjoint(names)]


def _applied_by(run: MigrationRun) -> tuple[dict[Database, Observation], list[str]]:
    """Return where a deploy run left something that is still applied, and what, latest first.

    A database that the run did not reach, or that was rolled back since, is left out: what it has is somebody else's.
    Raises DatabasesDiffer if the others do not have the same left of it.
    """
    places: dict[Database, Observation] = {}
    back: list[str] = []
    if run.kind != RunKind.DEPLOY:
        return places, back
    planned = [entry["name"] for entry in run.plan["migrations"]]
    for database, seen in _observations(run.environment).items():
        job = run.jobs.filter(database=database).first()
        applied = {entry["name"] for entry in seen.history}
        ours = [name for name in planned[: job.applied if job else 0] if name in applied][::-1]
        if not ours:
            continue
        if places and ours != back:
            raise DatabasesDiffer(one=str(next(iter(places))), other=str(database))
        places[database], back = seen, ours
    return places, back


def _draft(
    environment: Environment,
    *,
    kind: str,
    migrations: list[Migration],
    observations: Mapping[Database, Observation],
    verify: Mapping[str, str | None],
    smoke: str | None = None,
    reverts: MigrationRun | None = None,
    automatic: str = "",
) -> Draft:
    policy = environment.policies.latest("version")
    part = "forward" if kind == "deploy" else "rollback"
    prefetch_related_objects(migrations, "forward", "rollback", "verify", "notes")
    without = [one.name for one in migrations if one.rollback_id is None]
    scripts = [(one.name, script.text()) for one in migrations if (script := getattr(one, part)) is not None]
    # A way back that is unusual is told, not refused: it was decided with the migration, and somebody waits for it.
    strict = kind == "deploy" and is_strict(policy.rules, protected=environment.is_protected)
    asked, rates = tuple(_asked(verify, smoke)), rates_of(environment)
    judged = judged_on(tuple(scripts), asked, seen_of(observations.values()), strict, rates)
    # A way back is never held up by what a schema that was read says of it: it is tried, and the finding is shown.
    blocking = [one for one in judged.blocking if kind == "deploy" or one[1].code != STATEMENT_WILL_FAIL]
    if strict:  # what the way back may not do is refused while there is time to write it otherwise
        blocking += [
            (f"{one.name} (rollback)", found)
            for one in migrations
            if one.rollback is not None
            for found in refused_where_strict(one.rollback.text())
        ]
    if kind == "deploy":  # a way back of many rows is slow in one piece, but it is not held up
        limit = plain_rows_limit(policy.rules, protected=environment.is_protected)
        blocking += [(name, found) for name, one in judged.plain if (found := over_limit(one, limit))]
    if blocking:
        raise PlanBlocked(blocking=written_out(blocking, environment.application.layout))
    needs = requirements(
        policy.rules,
        protected=environment.is_protected,
        risk=judged.risk,
        ignores=bool(judged.accepted) and kind == "deploy",
        wants_more=kind == "deploy" and wants_more(policy.rules, scripts),
    )
    if kind == "rollback":
        needs = way_back(needs)
    health = HealthCheck.objects.filter(environment=environment).first()
    if without and (needs.rollback or kind == "rollback"):
        raise RollbackMissing(names=without)
    would_ask, stands = needs.approvals, None
    if reverts is not None:
        back = [{"name": one.name, "rollback": one.rollback_id} for one in migrations]
        stands = standing_of(reverts, back, asked=would_ask)
        needs = replace(needs, approvals=() if stands.alone else second_person(would_ask))
    plan = canonical(
        plan_content(
            environment,
            kind=kind,
            migrations=migrations,
            observations=observations,
            judged=judged,
            needs=needs,
            verify=verify,
            smoke=smoke,
            health=asdict(health.expectation()) if health else None,
            budget=budget_for(policy.rules, kind, scripts),
            lane={"alone": stands.alone, "asked": list(would_ask), "automatic": automatic} if stands else None,
        )
    )
    applied = tuple(migrations)
    return Draft(kind, plan, digest_of(plan), policy, judged, needs, applied, observations, standing=stands)


def _asked(verify: Mapping[str, str | None], smoke: str | None) -> list[tuple[str, str]]:
    """Return the scripts that are only to read, with what they are called."""
    scripts = {f"{name}, verify": address for name, address in verify.items()} | {"smoke.sql": smoke}
    stored = Script.objects.in_bulk([address for address in scripts.values() if address])
    return [(name, stored[address].text()) for name, address in scripts.items() if address]


def _observations(environment: Environment) -> dict[Database, Observation]:
    found: dict[Database, Observation] = {}
    for database in environment.databases.order_by("position"):
        observation = latest_observation(database)
        if observation is None:
            raise NotObserved(database=str(database))
        require_not_ahead(database)
        found[database] = observation
    if not found:
        raise NoDatabases(environment=str(environment))
    return found
