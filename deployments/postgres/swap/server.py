"""What a server's catalogue shows of the databases of a swap, and acting on them from another one."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum

import psycopg
from psycopg import sql

from deployments.errors import DeploymentError
from deployments.postgres.connect import NAME_PREFIX, Holder, Session, Target, open_session, session
from deployments.postgres.errors import FenceLost
from deployments.postgres.stopped import InDoubt
from deployments.postgres.swap.errors import NoOtherDatabase, SwapNotAllowed, SwapUnknown
from deployments.postgres.swap.names import SwapNames

PATIENCE_SECONDS = 30.0
LOOK_SECONDS = 0.05
RENAME_TRIES = 5
DROP_TIMEOUT = "10min"
ALL = """
SELECT oid::bigint, datname::text, datallowconn, pg_catalog.pg_get_userbyid(datdba)
FROM pg_catalog.pg_database WHERE NOT datistemplate
"""
# From where others can be renamed. template1 last: while we are in it, nobody can create a database.
PLACES = """
SELECT datname::text FROM pg_catalog.pg_database
WHERE datallowconn AND datname <> %s AND pg_catalog.has_database_privilege(datname, 'CONNECT')
  AND datname NOT LIKE 'lkt\\_%%'
ORDER BY datname <> 'postgres', datname <> 'defaultdb', datname = 'template1', datname
"""
EARLIER = f"""
SELECT pid, backend_start FROM pg_catalog.pg_stat_activity
WHERE pid <> pg_catalog.pg_backend_pid() AND application_name ~ '^{NAME_PREFIX}swap=[0-9]+/fence=[0-9]+$'
  AND substring(application_name FROM 'swap=([0-9]+)/')::bigint = ANY (%(oids)s)
  AND substring(application_name FROM 'fence=([0-9]+)$')::numeric < %(fence)s
"""
END_ONE = """
SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE pid = %s AND backend_start = %s
"""
MAY = """
SELECT role.rolsuper, role.rolcreatedb, pg_catalog.pg_has_role(current_user, datdba, 'USAGE'),
       pg_catalog.pg_has_role(current_user, 'pg_signal_backend', 'USAGE'),
       pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(datdba)), pg_catalog.quote_ident(current_user)
FROM pg_catalog.pg_database, pg_catalog.pg_roles role WHERE datname = %s AND role.rolname = current_user
"""


class State(StrEnum):
    """Where a swap stands, by the names there are. The table is in the package's own text."""

    NOTHING = "nothing"
    READY = "ready"
    SWAPPED = "swapped"


@dataclass(frozen=True, slots=True)
class Database:
    """One database as the catalogue has it."""

    oid: int
    name: str
    is_open: bool
    owner: str


@dataclass(frozen=True, slots=True)
class Found:
    """The databases of a swap that are there. `fence` is that in the name of the new one."""

    production: Database
    ready: Database | None = None
    kept: Database | None = None
    fence: int = 0

    @property
    def state(self) -> State:
        """Where the swap stands."""
        if self.kept is not None:
            return State.SWAPPED
        return State.READY if self.ready is not None else State.NOTHING


@dataclass(frozen=True, slots=True)
class Swap:
    """One exchange: of which database, by which executor of which job. `target` is the application's, by its name."""

    target: Target
    holder: Holder
    production: str

    @property
    def names(self) -> SwapNames:
        """How its databases are called."""
        return SwapNames(self.production, self.holder.job)

    @property
    def mine(self) -> str:
        """The name of the new database that this executor may swap in."""
        return self.names.ready(self.holder.fence)

    def inside(self, name: str) -> Target:
        """Return another database of the same server."""
        return replace(self.target, dbname=name)


def look(opened: Session, swap: Swap) -> Found:
    """Return which databases of this swap there are. Raises SwapUnknown where the table of states has no such row."""
    found = {row[1]: Database(*row) for row in opened.execute(ALL).fetchall()}
    names = swap.names
    readies = {fence: one for name, one in found.items() if (fence := names.fence_of(name)) is not None}
    production, kept = found.get(swap.production), found.get(names.kept)
    ours = [*readies.values(), *([kept] if kept else [])]
    if production is None or len(ours) > 1:
        shown = [one.name for one in (production, *ours) if one is not None]
        raise SwapUnknown(target=swap.target.name, found=shown)
    fence, ready = next(iter(readies.items()), (0, None))
    return Found(production, ready, kept, fence)


@contextmanager
def maintenance(swap: Swap, *, of: int) -> Iterator[Session]:
    """Open a session in another database of the server, named after the `of` it acts on: a successor ends it.

    Raises NoOtherDatabase, and what opening a session raises.
    """
    name = f"{NAME_PREFIX}swap={of}/fence={swap.holder.fence}"
    with open_elsewhere(swap, name=name) as opened:
        yield opened


@contextmanager
def open_elsewhere(swap: Swap, *, name: str) -> Iterator[Session]:
    """Open a session in another database of the server than the application's. Raises as `maintenance` does."""
    for place in _places(swap, name=name):
        try:
            opened = open_session(swap.inside(place), name=name)
        except DeploymentError:  # closed to us by the server's own rules: then the next one
            continue
        with closing(opened):
            yield opened
        return
    raise NoOtherDatabase(target=swap.target.name)


def elsewhere(swap: Swap) -> Target:
    """Return another database of the server, to create and drop from: writes may be stopped in the application's own.

    Raises NoOtherDatabase, and what opening a session raises.
    """
    with open_elsewhere(swap, name=swap.holder.session_name) as opened:
        return swap.inside(opened.info.dbname)


def _places(swap: Swap, *, name: str) -> Iterator[str]:
    """Return the databases to act from, the usual one first: only if it is closed to us is asked for others."""
    if swap.production != "postgres":
        yield "postgres"
    with session(swap.target, name=name) as opened:
        found = [place for (place,) in opened.execute(PLACES, [swap.production])]
    yield from (place for place in found if place != "postgres")


def require_allowed(opened: Session, swap: Swap) -> None:
    """Raise SwapNotAllowed with the SQL to run, if the role of this session may not do what a swap takes."""
    row = opened.execute(MAY, [swap.production]).fetchone()
    if row is None:
        raise SwapUnknown(target=swap.target.name, found=[])
    is_super, may_create, owns, may_end, owner, role = row
    if is_super:
        return
    what, remedy = [], []
    if not may_create:
        what.append("its role may not create and rename databases")
        remedy.append(f"ALTER ROLE {role} CREATEDB;")
    if not owns:
        what.append(f"its role does not own it ({owner} does)")
        remedy.append(f"GRANT {owner} TO {role};")
    if not may_end:
        what.append("its role may not end the sessions of others")
        remedy.append(f"GRANT pg_signal_backend TO {role};")
    if what:
        raise SwapNotAllowed(target=swap.target.name, what=what, remedy=remedy)


def end_earlier(opened: Session, swap: Swap, oids: list[int]) -> int:
    """End the sessions from which earlier executors rename these databases, and wait until they are gone.

    Returns how many there were. Raises InDoubt if one does not go within 30 seconds.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    ended: set[tuple[int, object]] = set()
    while found := opened.execute(EARLIER, {"oids": oids, "fence": swap.holder.fence}).fetchall():
        for pid, started in found:
            opened.execute(END_ONE, [pid, started])
            ended.add((pid, started))
        if time.monotonic() > deadline:
            what = f"an earlier attempt to exchange {swap.target.name}"
            raise InDoubt(what=what, why=f"{len(found)} of its sessions do not end within {PATIENCE_SECONDS:.0f} s")
        time.sleep(LOOK_SECONDS)
    return len(ended)


def take_ready(opened: Session, swap: Swap, found: Found) -> Found:
    """Give the new database the fence of this executor, so that no earlier one can swap it in; return what is there.

    A rename that is under way is waited for, or wins: then what is found is that the swap is done. Raises FenceLost if
    a successor has it, SwapUnknown, and InDoubt.
    """
    for _ in range(RENAME_TRIES):
        if found.ready is None or found.fence == swap.holder.fence:
            return found
        if found.fence > swap.holder.fence:
            raise FenceLost(target=swap.target.name, fence=swap.holder.fence)
        end_earlier(opened, swap, [one.oid for one in (found.production, found.ready) if one])
        with suppress(psycopg.errors.InternalError_, psycopg.errors.InvalidCatalogName, psycopg.errors.ObjectInUse):
            rename(opened, found.ready.name, swap.mine)
        found = look(opened, swap)
    raise InDoubt(what=f"an earlier attempt to exchange {swap.target.name}", why="its new database stays in use")


def rename(opened: Session, name: str, to: str) -> None:
    """Rename a database. Raises psycopg.Error: ObjectInUse if somebody is in it for longer than five seconds."""
    opened.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(to)))


def allow(opened: Session, name: str, *, is_open: bool) -> None:
    """Let people into a database, or nobody any more. Who is in it stays there."""
    word = sql.SQL("true" if is_open else "false")
    opened.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(sql.Identifier(name), word))


def drop(opened: Session, name: str) -> None:
    """Drop a database with everybody in it. It is no error if it is not there."""
    opened.execute(f"SET statement_timeout = '{DROP_TIMEOUT}'")
    opened.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


class writing:  # noqa: N801 # reads as what it does
    """One transaction that may write, also where the database tells its sessions to read only."""

    def __init__(self, opened: Session) -> None:
        """Prepare it."""
        self._opened, self._transaction = opened, opened.transaction()

    def __enter__(self) -> None:
        """Begin."""
        self._transaction.__enter__()
        self._opened.execute("SET TRANSACTION READ WRITE")

    def __exit__(self, kind: object, error: object, trace: object) -> bool | None:
        """Commit, or roll back after an error."""
        return self._transaction.__exit__(kind, error, trace)  # type: ignore[arg-type]
