"""The step that changes the target: file by file, in the author's order, each committed with its history row."""

import time
from dataclasses import dataclass, field
from datetime import timedelta

from deployments.crash import crash_point
from deployments.errors import DeploymentError
from deployments.models import Script as StoredScript
from deployments.pipelines.contract import StepContext, StepResult
from deployments.pipelines.steps.batches import KeptBatches, require_batches_as_planned
from deployments.pipelines.steps.setbacks import Setbacks
from deployments.pipelines.steps.timings import Timings, earlier
from deployments.pipelines.waits import WaitsTold, billed
from deployments.pipelines.windows import budget_now, require_window
from deployments.pipelines.world import require_as_planned
from deployments.postgres.alone import run_alone
from deployments.postgres.batches.progress import Told
from deployments.postgres.connect import ANSWERED, LINK_ERRORS, session
from deployments.postgres.decided import obey
from deployments.postgres.errors import TargetUnreachable
from deployments.postgres.guard import Budget, Endings, Guard
from deployments.postgres.ledger import FORWARD, entries_of_job, has_begun
from deployments.postgres.script import Script, Sent, prepare
from deployments.postgres.sessions import end_strays
from deployments.postgres.stopped import CancelledTooLate, GuardLost
from deployments.postgres.transactional import TRY_AGAIN, Worker, run_file

MIGRATE = "migrate"


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept of a step while it goes on after setbacks."""

    setbacks: Setbacks
    timings: Timings
    batches: KeptBatches = field(default_factory=KeptBatches)
    endings: Endings = field(default_factory=Endings)
    guards: list[Guard] = field(default_factory=list)  # one for each time it was begun anew
    bills: dict[str, object] = field(default_factory=dict)  # by migration


@dataclass(frozen=True, slots=True)
class Migrate:
    """Run the scripts of the plan in one direction. A second attempt goes on after what the history shows.

    Its timeout is for one that hangs: it counts from the last commit, of a file, a statement alone, or a batch.
    """

    direction: str = FORWARD
    name: str = MIGRATE
    timeout: timedelta = timedelta(hours=6)

    def run(self, ctx: StepContext) -> StepResult:
        """Return what was applied. Raises why it stopped, with the bills; what was committed stays and is counted."""
        scripts = self.scripts(ctx)
        require_batches_as_planned(ctx, scripts)
        started = time.monotonic()
        kept = _Kept(Setbacks(ctx, self), Timings(earlier(ctx.job, scripts)))
        try:
            while not self._is_through(ctx, scripts, kept):
                ctx.control.require_may_start()
        except DeploymentError as stopped:
            billed(stopped, waits=kept.bills)
            raise
        took = time.monotonic() - started
        verb = "applied" if self.direction == FORWARD else "rolled back"
        return StepResult(
            summary=f"{len(scripts)} of {len(scripts)} {verb} in {took:.1f} s.",
            evidence={
                "migrations": [one.entry.migration for one in scripts],
                "seconds": round(took, 3),
                "waits": kept.bills,
                **kept.batches.as_evidence(),
                **kept.timings.as_evidence(),
            },
        )

    def settled(self, ctx: StepContext) -> StepResult | None:
        """Done exactly if the target's history has every migration of the plan from this job."""
        wanted = [(one.entry.migration, self.direction) for one in self.scripts(ctx)]
        try:
            with session(ctx.target, name=ctx.holder.session_name) as opened:
                committed = entries_of_job(opened, ctx.job.pk)
        except (TargetUnreachable, *LINK_ERRORS):
            return None  # to run again begins with the same question, and waits for the answer
        ctx.applied(len(committed))
        if committed != wanted:
            return None
        return StepResult(
            summary=f"{len(wanted)} of {len(wanted)} were committed by an earlier executor.",
            evidence={"migrations": [name for name, _ in wanted], "settled_from": "locktender.history"},
        )

    def scripts(self, ctx: StepContext) -> list[Script]:
        """Return the scripts of the plan from the stored bytes, which are addressed by their hash."""
        part = "forward" if self.direction == FORWARD else "rollback"
        return [
            prepare(
                StoredScript.objects.get(pk=entry[part]).text(),
                migration=entry["name"],
                direction=self.direction,
                checksum=entry["checksum"],
                script_sha256=entry[part],
            )
            for entry in ctx.plan["migrations"]
        ]

    def _is_through(
        self,
        ctx: StepContext,
        scripts: list[Script],
        kept: _Kept,
    ) -> bool:
        """Run what is left. False after a setback that it goes on after."""
        try:
            self._run_rest(ctx, scripts, kept)
        except TRY_AGAIN as locked:  # while something was read: what is sent is tried again by itself
            kept.setbacks.locked_out(locked)
        except ANSWERED as late:
            raise kept.setbacks.locked() from late
        except (GuardLost, TargetUnreachable, *LINK_ERRORS) as cut:
            kept.setbacks.link_broke(cut)
        else:
            return True
        return False

    def _run_rest(self, ctx: StepContext, scripts: list[Script], kept: _Kept) -> None:
        with session(ctx.target, name=ctx.holder.session_name) as opened:
            watchers = {one.backend for one in kept.guards if one.backend is not None}
            end_strays(opened, ctx.target, ctx.holder, watchers=watchers)
            require_as_planned(opened, ctx)
            done = {name for name, _ in entries_of_job(opened, ctx.job.pk)}
            if not has_begun(opened, ctx.job.pk):
                require_window(ctx)
        ctx.applied(len(done))
        planned = Budget.planned(ctx.plan["budget"])
        watch = Guard(
            ctx.target,
            ctx.holder,
            budget=planned,
            interval=ctx.guard_interval,
            stop=ctx.control,
            longest=ctx.limits.longest,
            endings=kept.endings,
        )
        kept.guards.append(watch)
        with watch as guard, WaitsTold(ctx.job, self.name, guard):
            if ctx.history.advisory_lock is not None:
                guard.hold_layout_lock(ctx.history.advisory_lock)
                with session(ctx.target, name=ctx.holder.session_name) as opened:
                    require_as_planned(opened, ctx)  # while the lock was waited for, its tool may have been at work
            for number, script in enumerate(scripts, start=1):
                if script.entry.migration in done:
                    continue
                ctx.control.require_may_go_on(f"before {script.name}, file {number} of {len(scripts)}")
                guard.budget = budget_now(ctx)
                try:
                    self._run_one(ctx, script, guard, kept, number=number, of=len(scripts))
                except DeploymentError as stopped:
                    billed(stopped, bill=guard.bill_of(script.name).as_evidence())
                    raise
                finally:
                    kept.bills[script.entry.migration] = guard.bill_of(script.name).as_evidence()
                kept.setbacks.came_on()
                ctx.applied(number)
                if ctx.control.cancel_requested:
                    raise CancelledTooLate(migration=script.name)
                crash_point("migration-committed")

    def _run_one(self, ctx: StepContext, script: Script, guard: Guard, kept: _Kept, *, number: int, of: int) -> None:
        timings = kept.timings
        working: dict[str, object] = {}  # the session and transaction of this try, for who looks after a crash

        def tell(sent: Sent) -> None:
            crash_point("statement-about-to-start")
            guard.looking.forget()
            timings.begin()
            show(sent)

        def tell_batches(told: Told) -> None:
            kept.batches.keep(script.entry.migration, told)
            show(script.sent[told.position - 1], batch=told.as_progress())

        def work(told: dict[str, object]) -> None:
            working.update(told)
            timings.sent()

        def show(sent: Sent, **more: object) -> None:
            ctx.progress(
                {
                    "session": dict(working),
                    "migration": script.entry.migration,
                    "number": number,
                    "of": of,
                    "statement": sent.number,
                    "statements": len(script.sent),
                    "is_transactional": script.transactional,
                    "sql": sent.text,
                    **timings.as_progress(script, sent),
                    **guard.as_progress(),
                    **more,
                }
            )

        worker = Worker(
            target=ctx.target,
            holder=ctx.holder,
            guard=guard,
            stop=ctx.control,
            limits=ctx.limits,
            history=ctx.history,
            tell=tell,
            tell_batches=tell_batches,
            log=ctx.log,
            tell_session=work,
            tell_end=lambda sent: timings.end(script, sent),
            came_on=kept.setbacks.came_on,
        )
        obey(script, worker, ctx.job.decided, claim=ctx.job.claims)
        manner = "in one transaction" if script.transactional else "each by itself"
        count = f"{len(script.sent)} statement{'' if len(script.sent) == 1 else 's'}"
        ctx.log(f"{script.name}: {count}, {manner}")
        (run_file if script.transactional else run_alone)(script, worker)
        ctx.log(f"{script.name}: committed")
