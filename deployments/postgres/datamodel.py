"""Playing migrations on one empty database and a data model on another, to compare what came of them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import quote
from uuid import UUID

import psycopg
from psycopg import sql

from checks.datamodel import Produced, produced
from checks.schema import Snapshot
from deployments.errors import DeploymentError
from deployments.postgres.backup.scratch import AS_ADMINISTRATOR
from deployments.postgres.connect import LINK_ERRORS, Session, Target, session
from deployments.postgres.rehearsal.scripts import rehearsed
from deployments.postgres.rehearsal.sending import reason
from deployments.postgres.script import Script
from deployments.postgres.snapshots import read_snapshot

SESSION = "locktender/datamodel"
LIMITS = "SET statement_timeout = '5min'; SET lock_timeout = '10s'"


class NotPlayable(DeploymentError):
    """A script cannot be played on an empty database of the rehearsal server."""

    code = "not-playable"

    def __init__(self, *, where: str, why: str) -> None:
        super().__init__(
            f"On {where}, what was made to compare is gone again: {why.rstrip('.')}. No target was touched. "
            "Make it so that the migrations run on an empty database, then check again."
        )


def produced_on(
    server: Target,
    migrations: Sequence[tuple[str, str]],
    model: Callable[[str], str],
    *,
    control_plane_id: UUID,
    number: int,
) -> Produced:
    """Return how what migrations make of an empty database differs from what the SQL of a model makes of another.

    `server` leads to any database on the rehearsal server; `migrations` are names and forward scripts in order; `model`
    returns the SQL, and is given the address of the empty database that it is for. Both databases are gone afterwards;
    what an earlier check with this `number` left behind is dropped first. Raises NotPlayable, checks.errors.CheckError,
    what `model` and what opening a session raise.
    """
    made = [_script(server, name, text) for name, text in migrations]
    name = f"lkt_{control_plane_id.hex[:8]}_datamodel_{number}"
    with session(server, name=SESSION) as opened:
        opened.execute(AS_ADMINISTRATOR)
        if opened.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name]).fetchone() != (True,):
            raise NotPlayable(where=server.name, why="another check of this application is under way")
        with _database(opened, f"{name}_made"):
            found = _played(replace(server, dbname=f"{name}_made"), made)
        with _database(opened, f"{name}_model"):
            place = replace(server, dbname=f"{name}_model")
            return produced(
                found, _played(place, [_script(server, "schema.prisma", model(_url(opened, place.dbname)))])
            )


def _url(opened: Session, dbname: str) -> str:
    """Return the address of a database on a session's server in the only form that Prisma reads."""
    info = opened.info
    user, password, name = (quote(part, safe="") for part in (info.user, info.password, dbname))
    host, more = (info.host, "") if not info.host.startswith("/") else ("localhost", f"?host={quote(info.host)}")
    return f"postgresql://{user}:{password}@{host}:{info.port}/{name}{more}"


def _script(server: Target, name: str, text: str) -> Script:
    one = rehearsed(name, forward=text, rollback=None)
    if one.beyond:
        raise NotPlayable(where=server.name, why=one.beyond[0])
    return one.forward


def _played(place: Target, scripts: Sequence[Script]) -> Snapshot:
    for script in scripts:
        with session(place, name=SESSION) as inside:
            inside.execute(LIMITS)
            _play(inside, place, script)
    with session(place, name=SESSION) as inside, inside.transaction():
        return read_snapshot(inside)


@contextmanager
def _database(opened: Session, name: str) -> Iterator[None]:
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    opened.execute(drop)
    opened.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    try:
        yield
    finally:
        opened.execute(drop)


def _play(opened: Session, place: Target, script: Script) -> None:
    opened.autocommit = not script.transactional
    for sent in script.sent:
        try:
            opened.execute(sent.text.encode())
        except psycopg.Error as refused:
            if isinstance(refused, LINK_ERRORS) and opened.broken:
                raise
            why = f"statement {sent.number} of {script.name} (line {sent.line}) stops: {reason(refused)}"
            raise NotPlayable(where=place.name, why=why) from refused
    if script.transactional:
        opened.commit()
