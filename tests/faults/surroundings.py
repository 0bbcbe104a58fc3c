"""Faults of what a run needs around it: workers, Redis, its target's server and ours, the network, the disk."""

import os
import random
import resource
import signal
import time
from contextlib import suppress

from tests.faults.cases import Case
from tests.faults.processes import executors, send
from tests.postgres.proxy import Link, Proxy

DISK_BYTES = 16 * 1024 * 1024  # a file of the WAL is as big: what is limited is what tables and indexes need
FIRST_CUT = (2.3, 6.0)  # powers of ten of bytes, in both directions together: most of them are those of the dump
BETWEEN_CUTS = (200, 20_000)  # bytes
MOST_CUTS = 3
IN_TRANSACTION = "backend_xid IS NOT NULL AND state <> 'idle'"
BUILDING = "query LIKE 'CREATE INDEX CONCURRENTLY%' AND state = 'active'"


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


def restart_during(case: Case, *, what: str) -> str:
    """Crash the server of the targets while a session of ours does something."""
    seen = case.until(lambda: case.is_at(what), seconds=20)
    case.pause(0.1)
    where = case.where()
    case.world.targets.restart("immediate")
    return f"restarted {'in its middle' if seen else 'though it was not seen'}, in {where}"


class Cuts:
    """Cuts a link after a random number of bytes, in the middle of a message or between two, some times over."""

    def __init__(self, dice: random.Random) -> None:
        self.dice, self.count = dice, dice.randint(1, MOST_CUTS)
        self.left = int(10 ** dice.uniform(*FIRST_CUT))
        self.done: list[str] = []

    def __call__(self, link: Link, direction: str, data: bytes) -> bytes:
        """Count what passes."""
        if len(self.done) == self.count:
            return data
        self.left -= len(data)
        if self.left > 0:
            return data
        passed, drain = data[: self.left or None], link.server if direction == "to the server" else link.client
        with suppress(OSError):
            drain.sendall(passed)
        both = self.dice.random() < 0.5
        link.cut(server_too=both)
        self.left = self.dice.randint(*BETWEEN_CUTS)
        self.done.append(f"{direction}{'' if both else ', which only the client noticed'}")
        return b""


def cut_links(case: Case) -> str:
    """Lead every connection of the run through a proxy that cuts some of them. Called before the run is started."""
    rule = Cuts(case.random)
    proxy = Proxy(case.place.server, rule)
    proxy.__enter__()
    case.place.secret.write_text(proxy.url)

    def undo() -> None:
        case.place.secret.write_text(case.place.server)
        proxy.__exit__()

    case.afterwards.append(undo)
    return f"{rule.count} cuts on the way to the target"


def fill_disk(case: Case) -> str:
    """Let no file of the targets' server grow beyond a limit. Called before the run is started."""
    targets = case.world.targets
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (DISK_BYTES, unlimited[1]))  # the server inherits it
    try:
        targets.restart("fast")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    case.afterwards.append(lambda: targets.restart("fast"))
    return f"no file of the server grows beyond {DISK_BYTES >> 20} MB"
