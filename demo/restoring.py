"""A chapter of the story: rows are deleted by mistake, a restore says its price, is pressed, and is taken back."""

import time

import psycopg

from checks.names import unqualified
from demo.oracle import Seen, look
from demo.people import NOOR
from demo.targets import APP, MIGRATOR, PRODUCTION
from demo.teller import StoryBroken
from demo.telling import Telling, is_state
from deployments.models import MigrationRun, Step
from deployments.selectors.restores import Measured, measured
from deployments.states import RunState

PATIENCE_SECONDS = 60
LOOK_SECONDS = 0.2
LOST, PURCHASES = "notification_log", "transactions"


def deleted_and_restored(telling: Telling, bad: MigrationRun, before: Seen) -> None:
    """Tell it. The backup is that of run `bad`, and `before` is what an onlooker saw when it was made."""
    telling.say.chapter("Somebody deletes too much: a restore, its price, and the way back from it")
    gone = _delete(telling)
    telling.say.note(f"A clean-up job deleted {gone:,} rows of {LOST}")
    after = look(_production(telling))
    price = _price(telling, bad)
    page = telling.desk.see(NOOR, f"/runs/{bad.number}/restore/").text
    sold = _written(price)
    telling.say.holds(
        f"The page says before the press what it costs: {sold} purchases since the backup, counted exactly.",
        truth=sold > 0 and _is_exact(price) and f"{price.exact}row" in "".join(page.split()),
        seen=(price.price, page),
    )
    run = telling.desk.restore(NOOR, bad, reason="The log of notifications is gone")
    run = telling.desk.go(NOOR, run)
    found = look(_production(telling), like=before)
    telling.say.holds(
        f"Restored: the schema and all {sum(one.count for one in before.rows.values()):,} rows are as they were, "
        f"those of {LOST} too; an onlooker finds the same.",
        truth=is_state(run, RunState.SUCCEEDED) and (found.schema, found.rows) == (before.schema, before.rows),
        seen=(run.state, run.jobs.get().error, _unlike(found, before)),
    )
    exchanged = Step.objects.filter(job__run=run, name="swap").latest("attempt").evidence
    telling.say.holds(
        f"The database was out of reach for {exchanged['unreachable_seconds']:.2f} s, and the old one is kept.",
        truth=exchanged["unreachable_seconds"] < 1,
        seen=exchanged,
    )
    _take_back(telling, run, after)


def _take_back(telling: Telling, run: MigrationRun, after: Seen) -> None:
    """Take the restore back: the purchases were worth more than the log."""
    _price(telling, run)
    undo = telling.desk.restore(NOOR, run, reason="The purchases are worth more than the log")
    undo = telling.desk.go(NOOR, undo)
    found = look(_production(telling), like=after)
    telling.say.holds(
        "The restore is taken back: every row from before it is there again, the purchases among them.",
        truth=is_state(undo, RunState.SUCCEEDED) and (found.schema, found.rows) == (after.schema, after.rows),
        seen=(undo.state, undo.jobs.get().error, _unlike(found, after)),
    )


def _delete(telling: Telling) -> int:
    with psycopg.connect(telling.stage.targets.connection(PRODUCTION, APP)) as opened:
        return opened.execute(f"DELETE FROM {LOST}").rowcount


def _price(telling: Telling, run: MigrationRun) -> Measured:
    """Have counted what a restore because of a run would lose, and return it. Raises StoryBroken if nobody does."""
    telling.desk.count(NOOR, run)
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        found = measured(run)
        if found.price and not found.is_asked:
            return found
        time.sleep(LOOK_SECONDS)
    raise StoryBroken(f"What a restore because of run {run} would lose was not counted: {measured(run).reason}")


def _of_purchases(price: Measured) -> dict[str, object]:
    return next((one for one in price.price["tables"] if unqualified(one["table"]) == PURCHASES), {})


def _written(price: Measured) -> int:
    return int(str(_of_purchases(price).get("written") or 0))


def _is_exact(price: Measured) -> bool:
    return _of_purchases(price).get("sure") == "exact"


def _unlike(found: Seen, expected: Seen) -> list[str]:
    return [name for name in expected.rows if found.rows[name] != expected.rows[name]]


def _production(telling: Telling) -> str:
    return telling.stage.targets.connection(PRODUCTION, MIGRATOR)
