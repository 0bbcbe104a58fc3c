"""Running a statement batch by batch: each in a transaction of its own, which also writes how far it is.

A row is taken once, whatever dies: the watermark is committed with the rows, and the fence is held in the same
transaction. Rows that were there when it began are gone through, up to the greatest key of then.
"""

import time
from collections.abc import Callable
from dataclasses import replace

import psycopg

from checks.batch import Batch
from deployments.crash import crash_point
from deployments.postgres.batches.keys import (
    AS_TEXT,
    BatchKeyUnusable,
    estimated_rows,
    is_usable,
    last_key,
    next_page,
)
from deployments.postgres.batches.ledger import (
    Place,
    Standing,
    advance,
    begin,
    earlier,
    other_text,
    overtaken,
    require_batch_table,
    standing,
)
from deployments.postgres.batches.pace import Pace, Pressure, lag_limit_of
from deployments.postgres.batches.progress import Speed
from deployments.postgres.batches.replicas import Replicas
from deployments.postgres.connect import Session, open_session
from deployments.postgres.errors import TargetUnreachable
from deployments.postgres.history import require_still_open
from deployments.postgres.ledger import raise_fence
from deployments.postgres.patience import Patience
from deployments.postgres.privileges import become_owner
from deployments.postgres.script import Script, Sent
from deployments.postgres.sessions import Backend, backend_of
from deployments.postgres.settings import begin_limits, hold_end, hold_limits
from deployments.postgres.stopped import InDoubt, LockNotObtained, OverBudget
from deployments.postgres.transactional import (
    LOST_ATTEMPTS,
    TRY_AGAIN,
    Worker,
    committed,
    failed,
    is_lost,
    statement_failed,
)

OVER_BUDGET_TRIES = (
    5  # batches one after the other, each a quarter of the one before, that the application felt too much
)
TELL_SECONDS = 1.0  # no faster than a person reads

Enter = Callable[[Session], None]


def run_batches(script: Script, sent: Sent, worker: Worker, enter: Enter | None = None) -> None:
    """Run one batched statement to its end, from where it or an earlier attempt came to.

    When it raises, what was committed stays, and is not done again: StatementFailed, LockNotObtained, OverBudget,
    CancelledOnRequest, PausedOnRequest, GuardLost, FenceLost, AlreadyApplied, BatchKeyUnusable, TargetSchemaOlder,
    TargetUnreachable, InDoubt. `enter` makes a session act as the statement's role; by default, as the owner.
    """
    batch = sent.batch
    if batch is None or not batch.sql:
        raise InDoubt(what=f"statement {sent.number} of {script.name}", why="it cannot be written for one batch")
    _Batches(script, sent, batch, worker, enter or (lambda opened: become_owner(opened, worker.target))).run()


class _Batches:
    """One batched statement on its way."""

    def __init__(self, script: Script, sent: Sent, batch: Batch, worker: Worker, enter: Enter) -> None:
        self.script, self.sent, self.batch, self.worker, self.enter = script, sent, batch, worker, enter
        holder, entry = worker.holder, script.entry
        text, is_only = sent.context + batch.sql, len(script.places_of(sent)[1]) == 1
        self.place = Place(holder.job, holder.fence, entry.migration, entry.direction, sent.number, text, is_only)
        self.pace = Pace(most=batch.size, lag_limit=lag_limit_of(worker.guard.budget.replica_seconds))
        self.speed = Speed()
        self.standing = Standing()
        self.paused = 0.0  # seconds since the last batch that were spent waiting
        self.told_at = -TELL_SECONDS
        self.over_budget = self.tries = 0
        self.replicas = Replicas()

    def run(self) -> None:
        self._connected(self._begin)
        while not self.standing.is_done:
            self._connected(self._until_cut)
        self._tell(at_once=True)
        one = self.standing
        self.worker.log(
            f"{self.script.name}: statement {self.sent.number} changed {one.rows:,} rows in {one.batches:,} batches, "
            f"{one.seconds:.1f} s and {one.throttled_seconds:.1f} s of pauses"
        )

    def _connected(self, act: Callable[[Session], None]) -> None:
        """Do something in a session; again when it is lost, after what may still work there was ended.

        And again while only locks are in its way, as long as a statement is tried.
        """
        script, lost = self.script, 0
        what, resting = f"Batches of {script.name}", f"after batch {self.standing.batches:,} of {script.name}"
        left = script.when_stopped
        patience = Patience(script, self.worker, what=what, left=left, is_watched=True, resting=resting)
        while lost < LOST_ATTEMPTS:
            self.worker.stop.require_may_start()
            backend: Backend | None = None
            opened = open_session(self.worker.target, name=self.worker.holder.session_name)
            before = self.standing.batches
            try:
                backend = backend_of(opened)
                act(opened)
            except psycopg.Error as error:
                if not is_lost(opened, error):
                    self.worker.guard.require_clear()
                    if not isinstance(error, TRY_AGAIN):
                        raise failed(script, f"A batch of {script.name}", error) from error
                    opened.close()
                    patience.refused(error)
                    continue
                committed(script, self.worker, backend)
                self.worker.guard.require_clear()
                self.worker.log(f"{script.name}: the connection was lost in a batch; going on after the last one")
                lost += 1
                if self.standing.batches > before:
                    return  # it came on: the attempts are counted anew
            else:
                return
            finally:
                opened.close()
        raise TargetUnreachable(target=self.worker.target.name, detail=f"the connection was lost {LOST_ATTEMPTS} times")

    def _begin(self, opened: Session) -> None:
        """Find out how far an earlier attempt came, or where the end is, and write it."""
        worker, place = self.worker, self.place
        require_batch_table(opened, worker.target)
        with worker.guard.watching(opened, self.script, part="The beginning"), opened.transaction():
            begin_limits(opened, worker.limits)
            raise_fence(opened, worker.target, worker.holder)
            require_still_open(opened, worker.target, self.script.entry, worker.history)
            found = earlier(opened, place)
            self.enter(opened)
            hold_limits(opened, worker.limits)
            opened.execute(AS_TEXT)  # after the settings of the file, as in every batch
            if not is_usable(opened, self.batch):
                raise BatchKeyUnusable(
                    table=self.batch.table, key=", ".join(self.batch.key), left=self.script.when_stopped
                )
            if found is not None and found[1] == place.job:
                begun = found[0]
            else:  # rows that came after the beginning of another job were there before this one
                end, estimate = last_key(opened, self.batch), estimated_rows(opened, self.batch)
                begun = found[0] if found is not None else Standing()
                is_done = end is None or end == begun.watermark
                begun = replace(begun, last_key=end, estimate=estimate, is_done=is_done)
            opened.execute("RESET ROLE")
            hold_end(opened, worker.limits)
            others = other_text(opened, place) if found is None else 0
            lost = overtaken(opened, place) if found is None else 0
            if found is None or found[1] != place.job:
                begin(opened, place, begun)
        self.standing = begun  # not before the commit: a link that is lost in it has begun nothing
        if found is not None:
            worker.log(
                f"{self.script.name}: going on after {self.standing.keys:,} rows in {self.standing.batches:,} batches"
            )
        if lost:
            worker.log(
                f"{self.script.name}: beginning anew: a migration was rolled back since an earlier attempt changed "
                f"{lost:,} rows"
            )
        if others:
            worker.log(
                f"{self.script.name}: an earlier attempt changed {others:,} rows with another text of this statement"
            )

    def _until_cut(self, opened: Session) -> None:
        """Run batches in one session until none is left."""
        with self.worker.guard.watching(opened, self.script, part="The beginning"), opened.transaction():
            begin_limits(opened, self.worker.limits)
            self.standing = standing(opened, self.place)  # after a lost connection: what was really committed
        patience = self.worker.limits.lock_retry_limit.total_seconds()
        tries, since = 0, time.monotonic()
        while not self.standing.is_done:
            self._rest()
            try:
                self._one(opened)
            except TRY_AGAIN as refused:
                tries += 1
                if time.monotonic() - since > patience:
                    blockers = "; ".join(map(str, self.worker.guard.bill.blockers))
                    raise LockNotObtained(
                        migration=self.script.name, tries=tries, blockers=blockers, left=self.script.when_stopped
                    ) from refused
                self.pace.refused(f"a batch was rolled back ({refused.diag.message_primary})")
            except OverBudget:
                self.over_budget += 1
                if self.over_budget >= OVER_BUDGET_TRIES:
                    raise
                self.pace.refused("a batch was cancelled, because the application waited for it too long")
            else:
                tries, since, self.over_budget = 0, time.monotonic(), 0
            self._tell()

    def _rest(self) -> None:
        """Pause as long as the pace says, where a person may also pause or cancel it."""
        self.worker.stop.require_may_go_on(f"after batch {self.standing.batches:,} of {self.script.name}")
        if self.pace.pause:
            self._tell(at_once=True)
            began = time.monotonic()
            self.worker.stop.rest(self.pace.pause)
            self.paused += time.monotonic() - began
            self.worker.stop.require_may_go_on(f"after batch {self.standing.batches:,} of {self.script.name}")

    def _one(self, opened: Session) -> None:
        """Run one batch. Raises TRY_AGAIN and OverBudget after it was rolled back, StatementFailed, FenceLost."""
        worker, began, before = self.worker, time.monotonic(), self.standing
        try:
            self.tries += 1
            with worker.guard.watching(opened, self.script, part=f"Batch {before.batches + 1:,} (try {self.tries})"):
                bill = worker.guard.bill
                after = self._transaction(opened, began)
        except TRY_AGAIN:
            worker.guard.require_clear()  # a batch that waits for a row of the application, while others wait for it
            raise
        except psycopg.Error as refused:
            if is_lost(opened, refused):
                raise
            worker.guard.require_clear()
            raise statement_failed(self.script, self.sent, refused) from refused
        crash_point("batch-committed")
        seconds, waited = time.monotonic() - began, self.paused
        self.standing, self.paused = after, 0.0
        worker.came_on()
        keys = after.keys - before.keys
        self.speed.add(seconds + waited, keys, after.rows - before.rows)
        self.tries = 0
        self.pace.took(seconds, keys, Pressure(bill.most_waiting, self.replicas.lag(opened)))

    def _transaction(self, opened: Session, began: float) -> Standing:
        """Everything between BEGIN and COMMIT of one batch; return how far it is then."""
        worker, batch = self.worker, self.batch
        with opened.transaction():
            begin_limits(opened, worker.limits)
            raise_fence(opened, worker.target, worker.holder)
            now = standing(opened, self.place)
            self.enter(opened)
            hold_limits(opened, worker.limits)
            opened.execute(AS_TEXT)
            page = (
                next_page(opened, batch, after=now.watermark, upto=now.last_key, size=self.pace.size)
                if now.last_key is not None
                else None
            )
            rows = 0
            if page is not None:
                rows = psycopg.RawCursor(opened).execute(batch.sql.encode(), [*page.first, *page.last]).rowcount
                opened.execute("SET CONSTRAINTS ALL IMMEDIATE")
            opened.execute("RESET ROLE")
            hold_end(opened, worker.limits)
            after = replace(
                now,
                watermark=page.last if page else now.watermark,
                keys=now.keys + (page.count if page else 0),
                rows=now.rows + rows,
                batches=now.batches + (page is not None),
                seconds=now.seconds + time.monotonic() - began,
                throttled_seconds=now.throttled_seconds + self.paused,
                is_done=page is None or page.last == now.last_key,
            )
            advance(opened, self.place, after)
            worker.guard.require_clear()
            worker.stop.require_may_start()
            crash_point("batch-before-commit")
        return after

    def _tell(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if at_once or now - self.told_at >= TELL_SECONDS:
            self.told_at = now
            self.worker.tell_batches(self.speed.told(self.batch, self.sent.number, self.standing, self.pace))
