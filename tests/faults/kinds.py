"""The kinds of faults: what is done, when, and how a run may end after it."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from deployments.models import Job
from tests.faults.cases import Case
from tests.faults.oracle import BEFORE_ANY_CHANGE
from tests.faults.people import cancel, drained, end_session, rest
from tests.faults.places import asked
from tests.faults.processes import is_stopped, send
from tests.faults.scripts import BATCH, COUNTED_ROWS
from tests.faults.surroundings import (
    BUILDING,
    IN_TRANSACTION,
    cut_links,
    fill_disk,
    hang_redis,
    kill_dispatchers,
    kill_everything,
    kill_worker,
    lose_redis,
    restart_control,
    restart_during,
    restart_redis,
    restart_target,
)
from tests.faults.world import LEASE_SECONDS

SUCCEEDED = frozenset({"succeeded"})
CANCELLED = frozenset({"succeeded", "cancelled"})  # a request may come too late
AWAY = frozenset({"target-unreachable", *BEFORE_ANY_CHANGE})
NO_ROOM = frozenset({"artifacts-full", "statement-failed"})
TRAP_SECONDS = 20.0
# How often a run passes a place at least: it has eight steps, and three migrations or more, one of each kind.
STEPS = 8
PASSES = {
    "batch-before-commit": COUNTED_ROWS // BATCH,
    "batch-committed": COUNTED_ROWS // BATCH,
    "statement-done": 2,
    "step-started": STEPS,
    "step-done-unrecorded": STEPS,
    "session-about-to-open": 2,
    "statement-about-to-start": 2,
    "history-about-to-be-written": 2,
    "migration-committed": 2,
}


@dataclass(frozen=True)
class Kind:
    """One kind of fault. `inject` is called when the run was started and tells what it did."""

    name: str
    inject: Callable[[Case], str]
    arm: Callable[[Case], list[str]] | None = None  # options of an executor with a trap in it
    slow: bool = False  # its migrations take seconds
    big: bool = False  # its migrations need more room than the disk has
    wide: bool = False  # touches every run, none of which may end otherwise for it: one at a time
    alone: bool = False  # wide, and nothing else happens meanwhile
    ends: frozenset[str] = SUCCEEDED
    refusals: frozenset[str] = field(default_factory=frozenset)


def at(case: Case, places: tuple[str, ...], *options: str) -> list[str]:
    """Return the options of a trap at a random one of these places, any of the times that it is passed."""
    place = case.random.choice(places)
    occurrence = case.random.randint(1, PASSES.get(place, 1))
    return ["--at", place, "--occurrence", str(occurrence), *options]


def kill_executor(case: Case) -> str:
    """Kill whoever holds the job, up to three times over."""
    told, last = [], 0
    for _ in range(case.random.choice((1, 1, 2, 3))):
        pid = case.holder(other_than=last)
        if pid is None:
            break
        case.pause(1.2)
        where = case.where()
        if send(pid, signal.SIGKILL):
            told.append(where)
        last = pid
    return "killed in " + ", then in ".join(told) if told else "over before it could be killed"


def spring_trap(case: Case) -> str:
    """Wait until the armed executor has died at its place, or halted there; a halted one goes on after its lease."""
    assert case.armed is not None
    armed, words = case.armed, case.armed.args
    place = words[words.index("--at") + 1]
    deadline = time.monotonic() + TRAP_SECONDS
    while armed.poll() is None and not is_stopped(armed.pid):
        if time.monotonic() > deadline:
            return f"never came to {place}"
        time.sleep(0.02)
    where = case.where()
    if armed.returncode is not None and armed.returncode < 0:
        return f"killed at {place}, in {where}"
    if armed.poll() is not None:
        return f"ended before {place}"
    fence = asked(lambda: Job.objects.values_list("fence", flat=True).get(pk=case.job.pk)) or 0
    at_work = "--blind" in words or case.random.random() < 0.5
    moment = case.successor_works if at_work else case.successor_came
    seen = case.until(lambda: moment(fence), seconds=30)
    waited = case.pause(0.2 if at_work else 1.5)
    send(armed.pid, signal.SIGCONT)
    what = ("was at work" if at_work else "had come") if seen else "did not come"
    return f"halted at {place}, in {where}, let go {waited:.1f} s after its successor {what}"


def stop_executor(case: Case) -> str:
    """Halt the executor for longer than its lease, then let it go on."""
    pid = case.holder()
    if pid is None:
        return "over before it could be halted"
    case.pause(1.0)
    where = case.where()
    if not send(pid, signal.SIGSTOP):
        return "over before it could be halted"
    seconds = LEASE_SECONDS + case.random.uniform(0.3, 2.5)
    time.sleep(seconds)
    send(pid, signal.SIGCONT)
    return f"halted for {seconds:.1f} s in {where}"


def terminate_executor(case: Case) -> str:
    """Ask the executor to end, as a host does that shuts down."""
    pid = case.holder()
    case.pause(1.2)
    where = case.where()
    done = pid is not None and send(pid, signal.SIGTERM)
    return f"asked to end in {where}" if done else "over before it could be asked to end"


def run_out(case: Case) -> str:
    """Wait for the end of the armed executor, on whose disk there is no room for a dump."""
    assert case.armed is not None
    case.until(lambda: case.armed is not None and case.armed.poll() is not None, seconds=TRAP_SECONDS)
    return f"no room, in {case.where()}"


def end_sessions(case: Case) -> str:
    """End one or all of the executor's sessions in the target, up to three times over."""
    told = []
    for _ in range(case.random.randint(1, 3)):
        if case.holder() is None:
            break
        case.pause(0.8)
        pids = case.sessions()
        ended = pids if case.random.random() < 0.4 else case.random.sample(pids, k=min(1, len(pids)))
        with case.place.connect() as opened:
            for pid in ended:
                opened.execute("SELECT pg_terminate_backend(%s)", [pid])
        told.append(f"{len(ended)} of {len(pids)} sessions in {case.where()}")
    return "ended " + ", ".join(told)


KILLED_AT = (
    ("claimed", "step-started", "session-about-to-open"),
    ("statement-about-to-start", "before-commit"),
    ("migration-committed", "history-about-to-be-written"),
    ("statement-intended", "statement-acted", "statement-done"),
    ("batch-before-commit", "batch-committed"),
    ("step-done-unrecorded", "all-steps-done", "backup-unrecorded"),
)
SUSPENDED_AT = ("statement-intended", "session-about-to-open", "batch-committed")
TERMINATED_AT = ("before-commit", "batch-before-commit", "history-about-to-be-written", "migration-committed")
HALTED_AT = (
    "claimed",
    "before-commit",
    "statement-intended",
    "statement-acted",
    "session-about-to-open",
    "history-about-to-be-written",
    "batch-before-commit",
    "batch-committed",
)


def trapped(name: str, places: tuple[str, ...], *options: str, slow: bool = False) -> Kind:
    """Return the fault of an executor that dies or halts at a named place."""
    return Kind(name, spring_trap, arm=lambda case: at(case, places, *options), slow=slow)


LOCAL = (
    Kind("executor killed", kill_executor),
    *(trapped("executor killed at a place", places) for places in KILLED_AT),
    trapped("executor terminated at a place", TERMINATED_AT, "--signal=SIGTERM"),
    Kind("executor terminated", terminate_executor),
    Kind("executor halted", stop_executor),
    trapped("executor halted at a place", HALTED_AT, "--signal=SIGSTOP"),
    trapped("executor suspended unawares", SUSPENDED_AT, "--signal=SIGSTOP", "--blind", slow=True),
    Kind("target sessions ended", end_sessions, refusals=AWAY),
    Kind("cancelled", cancel, ends=CANCELLED),
    Kind("cancelled and killed", partial(cancel, then_kill=True), ends=CANCELLED),
    Kind("paused", rest),
    Kind("paused and killed", partial(rest, then_kill=True)),
    Kind("paused and cancelled", partial(rest, then_cancel=True), ends=CANCELLED),
    Kind("session in the way ended", end_session),
    Kind("connections cut", cut_links, refusals=AWAY),
    Kind("disk full for the dump", run_out, arm=lambda _case: ["--disk=4096"], refusals=NO_ROOM),
)
in_transaction = partial(restart_during, what=IN_TRANSACTION)
in_build = partial(restart_during, what=BUILDING)
WIDE = (
    Kind("worker killed", kill_worker, wide=True),
    Kind("dispatcher killed", kill_dispatchers, wide=True),
    Kind("everything killed", kill_everything, wide=True),
    Kind("redis killed", restart_redis, wide=True),
    Kind("redis hung", hang_redis, wide=True),
    Kind("redis away", lose_redis, wide=True),
    Kind(
        "target restarted, immediate", partial(restart_target, mode="immediate"), wide=True, alone=True, refusals=AWAY
    ),
    Kind("target restarted, fast", partial(restart_target, mode="fast"), wide=True, alone=True, refusals=AWAY),
    Kind("target crashes in a transaction", in_transaction, wide=True, alone=True, refusals=AWAY),
    Kind("target crashes in an index build", in_build, wide=True, alone=True, slow=True, refusals=AWAY),
    Kind("disk full for the target", fill_disk, wide=True, alone=True, big=True, ends=frozenset(), refusals=NO_ROOM),
    Kind("drained", drained, wide=True, alone=True),
    Kind("control database restarted", restart_control, wide=True, alone=True),
)
EARLY = (lose_redis, cut_links, fill_disk)
"""Injected before the run is started."""
