"""The story of `make demo`: a change goes to staging and production, the next one breaks, and the way back is taken."""

import psycopg

from checks.risk import Risk
from demo.desk import APPLICATION, Desk, command, path_of
from demo.identifiers import in_one_piece
from demo.killing import longest_wait
from demo.oracle import Seen, look
from demo.people import ARI, DANA, LEE, MIKA, NOOR, invite
from demo.proving import Trying, age_of, ask_for_proof, proven, refused, try_release
from demo.releases import RELEASES
from demo.restoring import deleted_and_restored
from demo.stage import REPOSITORY, Stage
from demo.targets import APP, MIGRATOR, OWNER, PLACES, PRODUCTION, STAGING
from demo.telling import Telling, is_state
from deployments.actors import person
from deployments.models import Approval, Environment, MigrationRun, Step, User
from deployments.selectors.rehearsals import proofs_of
from deployments.services.policy import change_policy
from deployments.states import RunState

TODAY, REWARDS, LEVEL, MINOR, IN_ONE_PIECE, _, FORGOTTEN = RELEASES
OLD, NEW = "2.4.0", "2.5.0"  # of the customer's application
DEMO_POLICY = "Demo policy: seconds where a real one has minutes and hours, any time is a window. Not for use."
POLICIES = {
    STAGING: {
        "approvals": {one.value: [] for one in Risk},
        "backup": False,
        "rehearsal_hours": None,
        "watch_seconds": 2,
    },
    PRODUCTION: {
        "watch_seconds": 4,
        "verified_backup_gb": None,
        "rehearsal_hours": None,
        "blocking_budget": {"oldest_seconds": 0.5},
    },
}
PROVEN: dict[str, object] = {"watch_seconds": 4}
PROOF_ASKED = f"No change without a way back that was tried. {DEMO_POLICY}"
REFUSED = 403
HEALTHY, UNHEALTHY = 200, 503


class Story(Telling):
    """The story, told once. Each sentence is checked before it is said; one that is not true raises StoryBroken."""

    def tell(self) -> MigrationRun:
        """Tell it, and return the run that waits for a decision at its end."""
        self._begin()
        self._first_release()
        in_one_piece(self, IN_ONE_PIECE, version=OLD)
        bad, before = self._release_that_breaks()
        self._way_back(bad, before)
        deleted_and_restored(self, bad, before)
        waiting = self._next_release()
        self._record()
        return waiting

    def _begin(self) -> None:
        self.say.chapter("The customer: Loyalty, points for purchases, with Prisma on PostgreSQL")
        invite(password=self.stage.password)
        architect = person(User.objects.get(username=MIKA.name))
        command("add", "application", APPLICATION, "--layout", "prisma", "--source", f"folder:{REPOSITORY}")
        for rank, place in enumerate(PLACES, start=1):
            path = path_of(place)
            command("add", "environment", path, "--rank", str(rank))
            database = f"{path}/{place.database}"
            command("add", "database", database, "--connection", f"env:{place.variable}", "--owner-role", OWNER)
            command("target", database, "--apply")
            url = f"{self.stage.application(place)}/api/health"
            command(
                *("add", "health", path, "--url", url, "--json-path", "status", "--json-value", "ok"),
                *("--version-path", "version", "--latency-path", "latency.p99_ms"),
            )
            environment = Environment.objects.get(application__slug=APPLICATION, slug=place.environment)
            change_policy(environment, rules=POLICIES[place], reason=DEMO_POLICY, actor=architect)
            self.stage.run_application(place, OLD)
        self.stage.run_load(PRODUCTION)
        self.desk = Desk(self.stage.url, self.say, password=self.stage.password)
        self.desk.sync(DANA)
        self.say.note(f"{rows(self.stage):,} rows in production's ledger, {PLACES[0].ledger_rows:,} in staging's")
        for place in PLACES:
            page = self.desk.see(DANA, f"/runs/new/?environment={path_of(place)}")
            self.say.holds(
                f"{place.environment} is as Prisma left it: what was applied is adopted, and nothing is pending.",
                truth="nothing-to-apply" in page.html,
                seen=page.text,
            )

    def _first_release(self) -> None:
        self.say.chapter(f"Release {REWARDS.version}: {REWARDS.title}")
        self.release(REWARDS)
        self.in_staging("New fields for the app", "LOY-104")
        run = self.desk.ask(LEE, PRODUCTION, reason="New fields for the app", reference="LOY-104")
        waits = self.desk.see(LEE, f"/runs/{run.number}/").text
        self.say.holds(
            f"Run {run} for production waits: its class is {run.plan['class']}, so a DBA has to approve it.",
            truth=is_state(run, RunState.AWAITING) and "Waits for approval by 1 DBA" in waits,
            seen=waits,
        )
        page = self.desk.try_to_approve(LEE, run)
        self.say.holds(
            "lee is a DBA, asked for it, and is refused: nobody approves what they asked for.",
            truth=page.status == REFUSED and "You requested" in page.text and not Approval.objects.filter(run=run),
            seen=(page.status, page.text),
        )
        self.desk.have_approved(run)
        before = sold(self.stage)
        self.desk.start(LEE, run)
        failed: list[int] = []
        run = self.desk.follow(run, meanwhile=lambda: failed.append(self.stage.failed_requests(PRODUCTION)))
        after, longest = sold(self.stage), longest_wait(run)
        self.say.holds(
            f"Deployed to production under load: {after - before} purchases went through meanwhile, none failed, and "
            f"nobody waited for more than {longest:.2f} s of the {run.plan['budget']['oldest_seconds']} s allowed.",
            truth=is_state(run, RunState.SUCCEEDED) and after > before and not any(failed),
            seen=(run.state, after - before, failed, longest),
        )

    def _release_that_breaks(self) -> tuple[MigrationRun, Seen]:
        self.say.chapter(f"No way back that was not tried: release {FORGOTTEN.version}, {FORGOTTEN.title}")
        ask_for_proof(self, rules=PROVEN, reason=PROOF_ASKED)
        untried = try_release(self, FORGOTTEN)
        self.stage.run_application(STAGING, NEW)
        self.release(LEVEL)
        self.in_staging("One word for it everywhere", "LOY-117")
        run = self.desk.ask(DANA, PRODUCTION, reason="One word for it everywhere", reference="LOY-117")
        refused(self, untried)
        self.say.chapter(f"Release {LEVEL.version}: {LEVEL.title}, and production still runs application {OLD}")
        trying = Trying(run, self.desk.rehearse(DANA, run))
        self.desk.have_approved(run)
        proven(self, trying)
        before = look(self.stage.targets.connection(PRODUCTION, MIGRATOR))
        self.desk.start(DANA, run)
        run = self.desk.follow(run)
        health = self.stage.health(PRODUCTION)
        self.say.holds(
            f"Run {run} failed: every migration is committed, and production's application is unhealthy.",
            truth=is_state(run, RunState.FAILED)
            and run.jobs.get().error_code == "unhealthy"
            and health.get("http") == UNHEALTHY,
            seen=(run.state, run.jobs.get().error, health),
        )
        return run, before

    def _way_back(self, bad: MigrationRun, before: Seen) -> None:
        self.say.chapter("The way back, by script")
        price = self.desk.see(NOOR, f"/runs/{bad.number}/rollback/").text
        (proof,) = proofs_of(bad)
        self.say.holds(
            f"The page says before the press: proven {age_of(proof)} s ago, nothing is lost, noor alone.",
            truth=all(
                one in price for one in ("Restores everything", "Nothing is lost", f"run {proof.run}", "you, alone")
            ),
            seen=price,
        )
        broken = look(self.stage.targets.connection(PRODUCTION, MIGRATOR))
        run = self.desk.follow(self.desk.roll_back(NOOR, bad, reason="Purchases fail"))
        health = self.stage.health(PRODUCTION)
        self.say.holds(
            "noor rolled it back with one press, and production's application is healthy again.",
            truth=is_state(run, RunState.SUCCEEDED)
            and health.get("http") == HEALTHY
            and not Approval.objects.filter(run=run).exists(),
            seen=(run.state, health),
        )
        after = look(self.stage.targets.connection(PRODUCTION, MIGRATOR), like=before)
        told = Step.objects.get(job__run=run, name="checks after").summary
        self.say.holds(
            "Schema equal: yes, says Locktender, and so finds an onlooker with a method of his own.",
            truth=f"Schema equal to before run {bad}: yes" in told and after.schema == before.schema,
            seen=(told, after.schema == before.schema),
        )
        self.say.holds(
            f"Rows that existed before: yes, all {sum(one.count for one in before.rows.values()):,}, unchanged.",
            truth=after.rows == before.rows,
            seen=[name for name in before.rows if after.rows[name] != before.rows[name]],
        )
        since = broken.rows["transactions"].count - before.rows["transactions"].count
        kept = look(self.stage.targets.connection(PRODUCTION, MIGRATOR), like=broken)
        self.say.holds(
            f"Rows written since: kept, {since} purchases, which a restore would have lost.",
            truth=since > 0 and kept.rows == broken.rows,
            seen=(since, [name for name in broken.rows if kept.rows[name] != broken.rows[name]]),
        )

    def _next_release(self) -> MigrationRun:
        self.say.chapter(f"First the application, then the migration again; and release {MINOR.version}: {MINOR.title}")
        self.stage.run_application(PRODUCTION, NEW)
        self.release(MINOR)
        run = self.desk.ask(DANA, PRODUCTION, reason="Prices in other currencies come", reference="LOY-121")
        trying = Trying(run, self.desk.rehearse(DANA, run))
        self.in_staging("Prices in other currencies come", "LOY-121")
        proven(self, trying)
        self.say.holds(
            f"Run {run} for production waits for a decision: yours.",
            truth=is_state(run, RunState.AWAITING) and bool(run.plan["requirements"]["approvals"]),
            seen=run.state,
        )
        return run

    def _record(self) -> None:
        page = self.desk.see(ARI, "/audit/")
        self.say.holds(
            "The audit log has all of it, and its chain is whole.",
            truth="The chain is whole" in page.text,
            seen=page.text,
        )


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
