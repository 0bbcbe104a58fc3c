"""The story of `make demo`: a change goes to staging and production, the next one breaks, and the way back is taken."""

import psycopg

from checks.risk import Risk
from demo.desk import APPLICATION, Desk, command, path_of
from demo.oracle import Seen, look
from demo.people import ARI, DANA, LEE, MIKA, NOOR, PIA, Player, invite
from demo.releases import RELEASES, Release
from demo.stage import REPOSITORY, Stage
from demo.targets import APP, MIGRATOR, OWNER, PLACES, PRODUCTION, STAGING
from demo.teller import Teller
from deployments.actors import person
from deployments.models import Approval, Environment, MigrationRun, Step, User
from deployments.services.policy import change_policy
from deployments.states import RunState

TODAY, REWARDS, LEVEL, MINOR = RELEASES[:4]
OLD, NEW = "2.4.0", "2.5.0"  # of the customer's application
DEMO_POLICY = "Demo policy: seconds where a real one has minutes and hours, any time is a window. Not for use."
POLICIES = {
    STAGING: {"approvals": {one.value: [] for one in Risk}, "backup": False, "watch_seconds": 2},
    PRODUCTION: {"watch_seconds": 5},
}
APPROVERS = {"dba": PIA, "architect": MIKA}
REFUSED = 403
HEALTHY, UNHEALTHY = 200, 503


class Story:
    """The story, told once. Each sentence is checked before it is said; one that is not true raises StoryBroken."""

    def __init__(self, stage: Stage, teller: Teller) -> None:
        """Take the stage."""
        self._stage = stage
        self._say = teller
        self._desk: Desk

    def tell(self) -> MigrationRun:
        """Tell it, and return the run that waits for a decision at its end."""
        self._begin()
        self._first_release()
        bad, before = self._release_that_breaks()
        self._way_back(bad, before)
        waiting = self._next_release()
        self._record()
        return waiting

    def _begin(self) -> None:
        self._say.chapter("The customer: Loyalty, points for purchases, with Prisma on PostgreSQL")
        invite(password=self._stage.password)
        architect = person(User.objects.get(username=MIKA.name))
        command("add", "application", APPLICATION, "--layout", "prisma", "--source", f"folder:{REPOSITORY}")
        for rank, place in enumerate(PLACES, start=1):
            path = path_of(place)
            command("add", "environment", path, "--rank", str(rank))
            database = f"{path}/{place.database}"
            command("add", "database", database, "--connection", f"env:{place.variable}", "--owner-role", OWNER)
            command("target", database, "--apply")
            url = f"{self._stage.application(place)}/api/health"
            command(
                *("add", "health", path, "--url", url, "--json-path", "status", "--json-value", "ok"),
                *("--version-path", "version", "--latency-path", "latency.p99_ms"),
            )
            environment = Environment.objects.get(application__slug=APPLICATION, slug=place.environment)
            change_policy(environment, rules=POLICIES[place], reason=DEMO_POLICY, actor=architect)
            self._stage.run_application(place, OLD)
        self._stage.run_load()
        self._desk = Desk(self._stage, self._say)
        self._desk.sync(DANA)
        self._say.note(f"{rows(self._stage):,} rows in production's ledger, {PLACES[0].ledger_rows:,} in staging's")
        for place in PLACES:
            page = self._desk.see(DANA, f"/runs/new/?environment={path_of(place)}")
            self._say.holds(
                f"{place.environment} is as Prisma left it: what was applied is adopted, and nothing is pending.",
                truth="nothing-to-apply" in page.html,
                seen=page.text,
            )

    def _first_release(self) -> None:
        self._say.chapter(f"Release {REWARDS.version}: {REWARDS.title}")
        self._release(REWARDS)
        self._in_staging("New fields for the app", "LOY-104")
        run = self._desk.ask(LEE, PRODUCTION, reason="New fields for the app", reference="LOY-104")
        waits = self._desk.see(LEE, f"/runs/{run.number}/").text
        self._say.holds(
            f"Run {run} for production waits: its class is {run.plan['class']}, so a DBA has to approve it.",
            truth=is_state(run, RunState.AWAITING) and "Waits for approval by 1 DBA" in waits,
            seen=waits,
        )
        page = self._desk.try_to_approve(LEE, run)
        self._say.holds(
            "lee is a DBA, asked for it, and is refused: nobody approves what they asked for.",
            truth=page.status == REFUSED and "You requested" in page.text and not Approval.objects.filter(run=run),
            seen=(page.status, page.text),
        )
        self._approved(run)
        before = sold(self._stage)
        self._desk.start(LEE, run)
        failed: list[int] = []
        run = self._desk.follow(run, meanwhile=lambda: failed.append(self._stage.failed_requests(PRODUCTION)))
        after, longest = sold(self._stage), longest_wait(run)
        self._say.holds(
            f"Deployed to production under load: {after - before} purchases went through meanwhile, none failed, and "
            f"nobody waited for more than {longest:.2f} s of the {run.plan['budget']['oldest_seconds']} s allowed.",
            truth=is_state(run, RunState.SUCCEEDED) and after > before and not any(failed),
            seen=(run.state, after - before, failed, longest),
        )

    def _release_that_breaks(self) -> tuple[MigrationRun, Seen]:
        self._say.chapter(f"Release {LEVEL.version}: {LEVEL.title}, and production still runs application {OLD}")
        self._stage.run_application(STAGING, NEW)
        self._release(LEVEL)
        self._in_staging("One word for it everywhere", "LOY-117")
        before = look(self._stage.targets.connection(PRODUCTION, MIGRATOR))
        run = self._desk.ask(DANA, PRODUCTION, reason="One word for it everywhere", reference="LOY-117")
        self._approved(run)
        self._desk.start(DANA, run)
        run = self._desk.follow(run)
        health = self._stage.health(PRODUCTION)
        self._say.holds(
            f"Run {run} failed: every migration is committed, and production's application is unhealthy.",
            truth=is_state(run, RunState.FAILED)
            and run.jobs.get().error_code == "unhealthy"
            and health.get("http") == UNHEALTHY,
            seen=(run.state, run.jobs.get().error, health),
        )
        return run, before

    def _way_back(self, bad: MigrationRun, before: Seen) -> None:
        self._say.chapter("The way back, by script")
        price = self._desk.see(NOOR, f"/runs/{bad.number}/rollback/").text
        self._say.holds(
            "The page says before the press what is lost: the scripts destroy no data.",
            truth="Their text destroys no data" in price,
            seen=price,
        )
        run = self._desk.roll_back(NOOR, bad, reason="Purchases fail")
        self._approved(run)
        self._desk.start(NOOR, run)
        run = self._desk.follow(run)
        health = self._stage.health(PRODUCTION)
        self._say.holds(
            "noor rolled it back, and production's application is healthy again.",
            truth=is_state(run, RunState.SUCCEEDED) and health.get("http") == HEALTHY,
            seen=(run.state, health),
        )
        after = look(self._stage.targets.connection(PRODUCTION, MIGRATOR), like=before)
        told = Step.objects.get(job__run=run, name="checks after").summary
        self._say.holds(
            "Schema equal: yes, says Locktender, and so finds an onlooker with a method of his own.",
            truth=f"Schema equal to before run {bad}: yes" in told and after.schema == before.schema,
            seen=(told, after.schema == before.schema),
        )
        self._say.holds(
            f"Rows that existed before: yes, all {sum(one.count for one in before.rows.values()):,}, unchanged.",
            truth=after.rows == before.rows,
            seen=[name for name in before.rows if after.rows[name] != before.rows[name]],
        )

    def _next_release(self) -> MigrationRun:
        self._say.chapter(
            f"First the application, then the migration again; and release {MINOR.version}: {MINOR.title}"
        )
        self._stage.run_application(PRODUCTION, NEW)
        self._release(MINOR)
        self._in_staging("Prices in other currencies come", "LOY-121")
        run = self._desk.ask(DANA, PRODUCTION, reason="Prices in other currencies come", reference="LOY-121")
        self._say.holds(
            f"Run {run} for production waits for a decision: yours.",
            truth=is_state(run, RunState.AWAITING) and bool(run.plan["requirements"]["approvals"]),
            seen=run.state,
        )
        return run

    def _record(self) -> None:
        page = self._desk.see(ARI, "/audit/")
        self._say.holds(
            "The audit log has all of it, and its chain is whole.",
            truth="The chain is whole" in page.text,
            seen=page.text,
        )

    def _release(self, release: Release) -> None:
        names = self._stage.release(release)
        self._desk.sync(DANA)
        for name in names:
            self._say.note(f"+ {name}")

    def _in_staging(self, reason: str, reference: str) -> None:
        run = self._desk.ask(DANA, STAGING, reason=reason, reference=reference)
        self._desk.start(DANA, run)
        run = self._desk.follow(run)
        self._say.holds("Staging deployed.", truth=is_state(run, RunState.SUCCEEDED), seen=run.jobs.get().error)

    def _approved(self, run: MigrationRun) -> None:
        for role in run.plan["requirements"]["approvals"]:
            who: Player = APPROVERS[role]
            page = self._desk.approve(who, run)
            self._say.holds(
                f"{who.name}, {who.role.label}, approved run {run}.",
                truth=Approval.objects.filter(run=run, approver__username=who.name, digest=run.digest).exists(),
                seen=(page.status, page.text),
            )


def is_state(run: MigrationRun, state: RunState) -> bool:
    """Return whether a run is in a state now."""
    return MigrationRun.objects.filter(pk=run.pk, state=state).exists()


def longest_wait(run: MigrationRun) -> float:
    """Return how long the oldest waiting session waited for a run, in seconds, as its guard saw it."""
    step = Step.objects.filter(job__run=run, name="migrate").latest("attempt")
    return max((bill["oldest_seconds"] for bill in step.evidence["waits"].values()), default=0.0)


def rows(stage: Stage) -> int:
    """Return how many rows production's ledger has."""
    return _count(stage, "point_ledger")


def sold(stage: Stage) -> int:
    """Return how many purchases production has stored."""
    return _count(stage, "transactions")


def _count(stage: Stage, table: str) -> int:
    with psycopg.connect(stage.targets.connection(PRODUCTION, APP)) as opened:
        counted = opened.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(counted[0]) if counted else 0
