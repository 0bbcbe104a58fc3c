"""What the tests of `deployments.postgres` share: a target, workers that run files on it, and who stops them."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID

import psycopg

from deployments.postgres.alone import run_alone
from deployments.postgres.connect import Holder, Target, session
from deployments.postgres.guard import Budget, Guard
from deployments.postgres.history import LayoutHistory, SqlPairsHistory
from deployments.postgres.ledger import FORWARD
from deployments.postgres.script import Limits, Script, prepare
from deployments.postgres.sessions import end_strays
from deployments.postgres.stopped import CancelledOnRequest, PausedOnRequest
from deployments.postgres.transactional import Worker, run_file

LIMITS = Limits(lock_timeout=timedelta(milliseconds=200), lock_retry_limit=timedelta(seconds=20))
INTERVAL = timedelta(milliseconds=20)
PATIENT = Budget(oldest_seconds=60, total_seconds=600)


class Stopper:
    """A `Stop` in the hands of a test. Waits are cut short: what they are for is never the passing of time."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.pause = False
        self.limits: list[timedelta] = []  # one for each time a limit began to count

    @property
    def cancel_requested(self) -> bool:
        return self.asked.is_set()

    def require_may_start(self) -> None:
        if self.asked.is_set():
            raise CancelledOnRequest(migration="The job")

    def require_may_go_on(self, place: str) -> None:
        self.require_may_start()
        if self.pause:
            raise PausedOnRequest(job="The job", place=place)

    def wait(self, seconds: float) -> None:
        self.asked.wait(min(seconds, 0.02))

    rest = wait

    def limit(self, step_timeout: timedelta) -> None:
        self.limits.append(step_timeout)


@dataclass
class Desk:
    """One worker with its guard, and what it logged."""

    worker: Worker
    guard: Guard
    stop: Stopper
    lines: list[str]

    def run(self, script: Script) -> None:
        (run_file if script.transactional else run_alone)(script, self.worker)


@dataclass
class Place:
    """A target that carries Locktender's schema, owned by the role that migrates."""

    target: Target
    url: str
    plane: UUID
    superuser_url: str
    opened: list[psycopg.Connection] = field(default_factory=list)

    def connect(self, name: str = "shop", **options) -> psycopg.Connection:
        """Open a session as the application would; it is closed after the test."""
        session = psycopg.connect(self.url, autocommit=True, application_name=name, **options)
        self.opened.append(session)
        return session

    def rows(self, query: str, *values: object) -> list[tuple]:
        """Read as the superuser, who sees everything."""
        with psycopg.connect(self.superuser_url, autocommit=True) as session:
            return session.execute(query, values or None).fetchall()

    def do(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as session:
            for statement in statements:
                session.execute(statement)

    def administer(self, *statements: str) -> None:
        """Act as the superuser."""
        with psycopg.connect(self.superuser_url, autocommit=True) as session:
            for statement in statements:
                session.execute(statement)

    def tables(self) -> set[str]:
        return {name for (name,) in self.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}

    def history(self) -> list[tuple[str, str]]:
        return self.rows("SELECT migration, direction FROM locktender.history ORDER BY id")

    def indexes(self) -> dict[str, bool]:
        """Return the indexes of the schema public: name and whether they are valid."""
        query = (
            "SELECT indexrelid::regclass::text, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
            " WHERE relnamespace = 'public'::regnamespace"
        )
        return dict(self.rows(query))

    def sessions(self, condition: str = "true") -> list[int]:
        """Return the pids of Locktender's sessions here for which a condition on pg_stat_activity holds."""
        query = (
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            f" AND application_name LIKE 'locktender/%' AND {condition}"
        )
        return [pid for (pid,) in self.rows(query)]

    def at(self, url: str, monkeypatch) -> Target:
        """Return the same target by another address."""
        monkeypatch.setenv("TARGET_ELSEWHERE", url)
        return replace(self.target, connection="env:TARGET_ELSEWHERE")

    @contextmanager
    def desk(
        self,
        *,
        job: int = 1,
        fence: int = 1,
        budget: Budget = PATIENT,
        limits: Limits = LIMITS,
        history: LayoutHistory | None = None,
        target: Target | None = None,
        tell: Callable | None = None,
        came_on: Callable[[], None] = lambda: None,
    ) -> Iterator[Desk]:
        """Open a guard, and hand out a worker under its eyes, as the step does it at the beginning of an attempt."""
        holder, stop, lines = Holder(run=1, job=job, fence=fence), Stopper(), []
        with session(self.target, name=holder.session_name) as opened:
            end_strays(opened, self.target, holder)
        watch = Guard(self.target, holder, budget=budget, interval=INTERVAL, stop=stop, longest=limits.longest)
        with watch as guard:
            worker = Worker(
                target=target or self.target,
                holder=holder,
                guard=guard,
                stop=stop,
                limits=limits,
                history=history or SqlPairsHistory(),
                tell=tell or (lambda _: None),
                log=lines.append,
                came_on=came_on,
            )
            yield Desk(worker, guard, stop, lines)

    def run(self, text: str, name: str = "001_ledger", **options) -> Desk:
        """Run one script to its end, at a desk of its own."""
        with self.desk(**options) as desk:
            desk.run(script(text, name))
        return desk


def script(text: str, name: str = "001_ledger", direction: str = FORWARD) -> Script:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return prepare(text, migration=name, direction=direction, checksum=digest, script_sha256=digest)
