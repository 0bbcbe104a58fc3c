"""A chapter of the story: a table is to be written anew in one piece, plainly on a copy, and then by Locktender."""

import time

import psycopg

from demo.people import DANA, NOOR
from demo.pulse import Pulse
from demo.releases import Release
from demo.targets import COPY, MIGRATOR, PRODUCTION
from demo.telling import Telling, is_state
from deployments.models import MigrationRun, Step
from deployments.selectors.bill import in_short
from deployments.states import RunState

SETTLING_SECONDS = 1.0  # of people who buy, before and after
REASON, REFERENCE = "Identifiers will run out", "LOY-110"
KEYS = """
SELECT attrelid::regclass::text, format_type(atttypid, atttypmod), pg_relation_filenode(attrelid)
FROM pg_attribute
WHERE (attrelid, attname) IN (('transactions'::regclass, 'id'), ('point_ledger'::regclass, 'transaction_id'))
ORDER BY 1
"""


def in_one_piece(telling: Telling, release: Release, *, version: str) -> None:
    """Tell what a release that rewrites a table does plainly, and what through Locktender; then it is withdrawn.

    `version` is the one of the application that production runs.
    """
    telling.say.chapter(f"Release {release.version}: {release.title}, a change that Prisma would write")
    plain = _plainly(telling, release, version=version)
    telling.release(release)
    staged = telling.in_staging(REASON, REFERENCE)
    _stopped(telling, plain)
    _withdrawn(telling, release, staged)


def _plainly(telling: Telling, release: Release, *, version: str) -> Pulse:
    """Run it on a copy of production, under the same load, and return how the application there took it."""
    stage, say = telling.stage, telling.say
    with say.busy("The same SQL, sent plainly to a copy of production that is used as much"):
        stage.run_application(COPY, version)
        load = stage.run_load(COPY)
        with Pulse(lambda: stage.health(COPY)) as pulse:
            time.sleep(SETTLING_SECONDS)
            began = time.monotonic()
            stage.targets.run_plainly(release)
            took = time.monotonic() - began
            time.sleep(SETTLING_SECONDS)
        stage.end_application(COPY, load)
        stage.targets.drop_copy()
    say.holds(
        f"Sent plainly to a copy of production: it takes {took:.1f} s, nobody is answered for {pulse.longest:.1f} s.",
        truth=pulse.longest > 0.5 * took,
        seen=(pulse.longest, took),
    )
    return pulse


def _stopped(telling: Telling, plain: Pulse) -> None:
    """Have it deployed to production, where the guard stops it."""
    stage, desk, say = telling.stage, telling.desk, telling.say
    run = desk.ask(DANA, PRODUCTION, reason=REASON, reference=REFERENCE)
    desk.have_approved(run)
    before, failed = _keys(telling), []
    with Pulse(lambda: stage.health(PRODUCTION)) as ours:
        desk.start(DANA, run)
        run = desk.follow(run, meanwhile=lambda: failed.append(stage.failed_requests(PRODUCTION)))
    page = desk.see(DANA, f"/runs/{run.number}/").text
    bill = Step.objects.filter(job__run=run, name="migrate").latest("attempt").evidence.get("bill")
    told = " ".join(f"Bill: {in_short(bill)}".split()) if bill else "no bill"
    first, second = page.find("Nothing changed. The guard stopped it"), page.find(told)
    say.holds(
        f"On production the guard stopped it. Its page says first that nothing changed, and then: {told}.",
        truth=is_state(run, RunState.FAILED) and run.jobs.get().error_code == "over-budget" and 0 <= first < second,
        seen=(run.state, run.jobs.get().error_code, told, page),
    )
    say.holds(
        "Nothing changed: yes, an onlooker finds the same types and the same files, and no request failed.",
        truth=_keys(telling) == before and not any(failed),
        seen=(before, _keys(telling), failed),
    )
    for name, one in (("plainly", plain), ("Locktender", ours)):
        say.note(f"{name:10} {one.line()}  nobody answered for {one.longest:.1f} s at most")
    say.holds(
        f"The application stood still for {ours.longest:.1f} s instead of {plain.longest:.1f} s.",
        truth=ours.longest < plain.longest,
        seen=(ours.longest, plain.longest),
    )


def _withdrawn(telling: Telling, release: Release, staged: MigrationRun) -> None:
    """Have it rolled back in staging, and taken out of the repository."""
    desk = telling.desk
    run = desk.follow(desk.roll_back(NOOR, staged, reason="Production cannot take it"))
    telling.stage.take_out(release)
    desk.sync(DANA)
    page = desk.see(DANA, f"/runs/new/?environment=loyalty/{PRODUCTION.environment}")
    telling.say.holds(
        "It is rolled back in staging and taken out of the repository. What goes in parts comes later.",
        truth=is_state(run, RunState.SUCCEEDED) and "nothing-to-apply" in page.html,
        seen=(run.state, run.jobs.get().error, page.text),
    )


def _keys(telling: Telling) -> list[tuple[object, ...]]:
    with psycopg.connect(telling.stage.targets.connection(PRODUCTION, MIGRATOR)) as opened:
        return opened.execute(KEYS).fetchall()
