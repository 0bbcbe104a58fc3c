"""The cast of the tests, explained once.

Dana (developer) requests; Lee (DBA) and Mika (architect) decide; Noor is on call; Ari audits; Sam administers;
Charlie holds no role and must see nothing. The application is Rewards, with staging and production.
"""

import hashlib
import itertools
import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from deployments.digest import canonical, digest_of
from deployments.models import (
    Application,
    Database,
    Environment,
    Grant,
    Job,
    MigrationRun,
    Policy,
    Script,
    Step,
    User,
)
from deployments.models.grant import Role

numbers = itertools.count(1)


@dataclass
class Cast:
    """Everybody, and the application they work on."""

    dana: User
    lee: User
    mika: User
    noor: User
    ari: User
    sam: User
    charlie: User
    rewards: Application
    staging: Environment
    production: Environment
    rewards_prod: Database

    def run(
        self, *, requested_by: User | None = None, environment: Environment | None = None, **fields: Any
    ) -> MigrationRun:
        """Return an awaiting run on production, asked for by Dana."""
        environment = environment or self.production
        plan = canonical({"number": next(numbers)})
        return MigrationRun.objects.create(
            **{
                "environment": environment,
                "policy": environment.policies.latest("version"),
                "kind": "deploy",
                "plan_text": plan,
                "digest": digest_of(plan),
                "requested_by": requested_by or self.dana,
                "reason": "Points need a currency",
                "request_key": uuid.uuid4(),
            }
            | fields
        )

    def job(self, run: MigrationRun | None = None, *, database: Database | None = None, **fields: Any) -> Job:
        """Return a queued writing job on the production database, of a queued run."""
        run = run or self.run()
        if run.state == "awaiting":
            MigrationRun.objects.filter(pk=run.pk).update(state="queued")
            run.refresh_from_db()
        database = database or self.rewards_prod
        position = run.jobs.count() + 1
        return Job.objects.create(**{"run": run, "database": database, "position": position, "writes": True} | fields)


def step(job: Job, **fields: Any) -> Step:
    """Return the next pending step of this job."""
    return Step.objects.create(**{"job": job, "position": job.steps.count() + 1, "name": "migrate"} | fields)


def claimed() -> dict[str, Any]:
    """Return what a claim writes besides the state."""
    return {"fence": next(numbers), "lease_until": Now(), "executor": "host/1"}


def begin(job: Job) -> Job:
    """Have a queued job run, as a claim would, and return it as it is then."""
    Job.objects.filter(pk=job.pk).update(state="running", claims=F("claims") + 1, **claimed())
    job.refresh_from_db()
    return job


def script(text: str = "SELECT 1") -> Script:
    """Return a stored script."""
    body = text.encode()
    return Script.objects.get_or_create(sha256=hashlib.sha256(body).hexdigest(), defaults={"body": body})[0]


def assemble() -> Cast:
    """Create the cast."""
    people = {name: User.objects.create_user(name) for name in "dana lee mika noor ari sam charlie".split()}
    rewards = Application.objects.create(slug="rewards", name="Rewards", layout="sql-pairs", source="folder:rewards")
    staging, production = (
        Environment.objects.create(application=rewards, slug=slug, name=slug.title(), rank=rank, is_protected=rank == 2)
        for rank, slug in enumerate(("staging", "production"), start=1)
    )
    for environment in (staging, production):
        Policy.objects.create(environment=environment, version=1, rules={}, reason="The default")
    for name, role in zip(
        people, (Role.DEVELOPER, Role.DBA, Role.ARCHITECT, Role.ON_CALL, Role.AUDITOR, Role.ADMINISTRATOR), strict=False
    ):
        Grant.objects.create(user=people[name], role=role)
    rewards_prod = Database.objects.create(environment=production, name="rewards_prod", connection="env:REWARDS_PROD")
    return Cast(**people, rewards=rewards, staging=staging, production=production, rewards_prod=rewards_prod)
