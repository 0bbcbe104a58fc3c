"""The kinds of faults: what is done, when, and how a run may end after it."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from deployments.authority import NotAllowed
from deployments.models import Job
from deployments.services import decide
from tests.faults.cases import Case, asked, requester
from tests.faults.processes import executors, is_stopped, send
from tests.faults.world import LEASE_SECONDS

SUCCEEDED = frozenset({"succeeded"})
CANCELLED = frozenset({"succeeded", "cancelled"})  # a request may come too late
AWAY = frozenset({"target-unreachable", "backup-failed"})  # nothing was changed yet when a dump breaks off
TRAP_SECONDS = 20.0
# How often a run passes a place at least: it has eight steps, and two migrations or more, one of each kind.
STEPS = 8
PASSES = {
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
    wide: bool = False  # touches every run: nothing else happens meanwhile
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
    armed, words = case.armed, list(map(str, case.armed.args))  # type: ignore[arg-type]
    place = words[words.index("--at") + 1]
    deadline = time.monotonic() + TRAP_SECONDS
    while armed.poll() is None and not is_stopped(armed.pid):
        if time.monotonic() > deadline:
            return f"never came to {place}"
        time.sleep(0.02)
    where = case.where()
    if armed.returncode == -signal.SIGKILL:
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


def cancel(case: Case, *, then_kill: bool = False) -> str:
    """Ask the run to stop, and perhaps kill the executor right away."""
    pid = case.holder() if then_kill or case.random.random() < 0.7 else None
    waited = case.pause(1.5)
    where = case.where()
    try:
        decide.request_cancel(case.run, actor=requester())
    except NotAllowed:
        return f"asked after {waited:.1f} s, too late"
    if pid is not None and then_kill:
        time.sleep(case.random.choice((0, 0.02, 0.1, 0.3)))
        send(pid, signal.SIGKILL)
    return f"asked after {waited:.1f} s, in {where}" + (", then killed" if then_kill else "")


def mostly_at_work(case: Case) -> None:
    """Wait until an executor holds the job; one time in four do not, so that the start is hit too."""
    if case.random.random() < 0.75:
        case.holder()


def kill_worker(case: Case) -> str:
    """Kill the Celery worker: its main process, or all of it."""
    mostly_at_work(case)
    case.pause(1.2)
    whole = case.random.random() < 0.5
    where = case.where()
    case.world.supervisor.kill("worker", whole=whole)
    return f"killed {'with its children' if whole else 'alone'}, in {where}"


def kill_dispatchers(case: Case) -> str:
    """Kill one dispatcher or both."""
    mostly_at_work(case)
    case.pause(1.2)
    names = case.random.choice((["dispatcher-1"], ["dispatcher-2"], ["dispatcher-1", "dispatcher-2"]))
    where = case.where()
    for name in names:
        case.world.supervisor.kill(name)
    return f"killed {' and '.join(names)}, in {where}"


def kill_everything(case: Case) -> str:
    """Kill executors, worker and dispatchers at once."""
    case.holder()
    case.pause(1.2)
    where = case.where()
    for name in ("worker", "dispatcher-1", "dispatcher-2"):
        case.world.supervisor.kill(name, whole=True)
    count = sum(send(pid, signal.SIGKILL) for pid in executors(case.world.mark))
    return f"killed worker, dispatchers and {count} executors, in {where}"


def restart_redis(case: Case) -> str:
    """Kill Redis; it comes back after a while."""
    redis = case.world.servers.redis
    assert redis is not None
    case.pause(1.5)
    redis.kill()
    seconds = case.pause(3.0)
    redis.start()
    return f"killed, back after {seconds:.1f} s"


def hang_redis(case: Case) -> str:
    """Halt Redis: connections stay open and nothing answers."""
    redis = case.world.servers.redis
    assert redis is not None
    case.pause(0.5)
    os.kill(redis.pid, signal.SIGSTOP)
    seconds = case.random.uniform(2.5, 6)
    time.sleep(seconds)
    os.kill(redis.pid, signal.SIGCONT)
    return f"hung for {seconds:.1f} s"


def lose_redis(case: Case) -> str:
    """Kill Redis; it comes back when the run is over. Called before the run is started."""
    redis = case.world.servers.redis
    assert redis is not None
    redis.kill()
    case.afterwards.append(redis.start)
    return "away from before the start to the end"


def restart_target(case: Case, *, mode: str) -> str:
    """Restart the server of the targets, once or twice."""
    told = []
    for _ in range(case.random.randint(1, 2)):
        case.holder()
        case.pause(1.2)
        told.append(case.where())
        case.world.targets.restart("immediate" if mode == "immediate" else "fast")
    return f"restarted in {', then in '.join(told)}"


def restart_control(case: Case) -> str:
    """Restart the control database as after a crash."""
    mostly_at_work(case)
    case.pause(1.2)
    where = case.where()
    postgres = case.world.servers.postgres
    assert postgres is not None
    with suppress(OSError):
        postgres.restart("immediate")
    return f"restarted in {where}"


KILLED_AT = (
    ("claimed", "step-started", "session-about-to-open"),
    ("statement-about-to-start", "before-commit"),
    ("migration-committed", "history-about-to-be-written"),
    ("intent-written", "statement-done-unmarked"),
    ("step-done-unrecorded", "all-steps-done"),
)
SUSPENDED_AT = ("intent-written", "session-about-to-open")
HALTED_AT = ("claimed", "before-commit", "intent-written", "session-about-to-open", "history-about-to-be-written")


def trapped(name: str, places: tuple[str, ...], *options: str, slow: bool = False) -> Kind:
    """Return the fault of an executor that dies or halts at a named place."""
    return Kind(name, spring_trap, arm=lambda case: at(case, places, *options), slow=slow)


LOCAL = (
    Kind("executor killed", kill_executor),
    *(trapped("executor killed at a place", places) for places in KILLED_AT),
    Kind("executor halted", stop_executor),
    trapped("executor halted at a place", HALTED_AT, "--signal=SIGSTOP"),
    trapped("executor suspended unawares", SUSPENDED_AT, "--signal=SIGSTOP", "--blind", slow=True),
    Kind("target sessions ended", end_sessions, refusals=AWAY),
    Kind("cancelled", cancel, ends=CANCELLED),
    Kind("cancelled and killed", partial(cancel, then_kill=True), ends=CANCELLED),
)
WIDE = (
    Kind("worker killed", kill_worker, wide=True),
    Kind("dispatcher killed", kill_dispatchers, wide=True),
    Kind("everything killed", kill_everything, wide=True),
    Kind("redis killed", restart_redis, wide=True),
    Kind("redis hung", hang_redis, wide=True),
    Kind("redis away", lose_redis, wide=True),
    Kind("target restarted, immediate", partial(restart_target, mode="immediate"), wide=True, refusals=AWAY),
    Kind("target restarted, fast", partial(restart_target, mode="fast"), wide=True, refusals=AWAY),
    Kind("control database restarted", restart_control, wide=True),
)
EARLY = (lose_redis,)
"""Injected before the run is started."""
