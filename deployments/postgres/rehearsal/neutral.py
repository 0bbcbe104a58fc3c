"""Cutting a clone off from the world: what a script or a trigger in it could reach outside is taken away, or named."""

from collections.abc import Iterator

import psycopg
from psycopg import sql

from deployments.postgres.connect import Session
from deployments.postgres.sessions import PATIENCE_SECONDS

MAPPINGS = "SELECT srvname, usename FROM pg_catalog.pg_user_mappings ORDER BY 1, 2"
SUBSCRIPTIONS = """
SELECT subname FROM pg_catalog.pg_subscription
WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) ORDER BY 1
"""
EXTENSIONS = "SELECT extname FROM pg_catalog.pg_extension WHERE extname = ANY(%s) ORDER BY 1"
CALLERS = ("dblink", "http", "pg_net", "aws_s3", "aws_lambda", "pg_amqp", "plproxy", "pgsql_http")
MEMBERS = """
SELECT objid::pg_catalog.regprocedure::text FROM pg_catalog.pg_depend
JOIN pg_catalog.pg_extension ON pg_extension.oid = refobjid
WHERE classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND deptype = 'e' AND extname = %s
"""
JOBS = "SELECT pg_catalog.to_regclass('cron.job') IS NOT NULL"
EVENT_TRIGGERS = "SELECT evtname FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D' ORDER BY 1"
UNTRUSTED = """
SELECT namespace.nspname || '.' || proname, lanname FROM pg_catalog.pg_proc
JOIN pg_catalog.pg_language language ON language.oid = prolang
JOIN pg_catalog.pg_namespace namespace ON namespace.oid = pronamespace
WHERE NOT lanpltrusted AND lanname NOT IN ('internal', 'c') ORDER BY 1
"""


def neutralise(opened: Session) -> list[str]:
    """Cut a clone off from the world, as far as its role may; return in sentences what was done and what could not be.

    Called before anything is played, so that what a rehearsal compares with has it already. Raises the driver's error
    if the connection is lost.
    """
    opened.execute(f"SET lock_timeout = '{PATIENCE_SECONDS:.0f}s'")
    return [
        *_mappings(opened), *_subscriptions(opened), *_callers(opened), *_jobs(opened), *_named(opened),
    ]  # fmt: skip


def _mappings(opened: Session) -> Iterator[str]:
    for server, user in opened.execute(MAPPINGS).fetchall():
        whose = sql.SQL("PUBLIC") if user == "public" else sql.Identifier(user)
        command = sql.SQL("DROP USER MAPPING FOR {} SERVER {}").format(whose, sql.Identifier(server))
        yield _done(opened, command, f"user mapping of {user} for the foreign server {server}", "dropped")


def _subscriptions(opened: Session) -> Iterator[str]:
    for (name,) in opened.execute(SUBSCRIPTIONS).fetchall():
        one = sql.Identifier(name)
        for command in ("ALTER SUBSCRIPTION {} DISABLE", "ALTER SUBSCRIPTION {} SET (slot_name = NONE)"):
            _done(opened, sql.SQL(command).format(one), "", "")
        yield _done(opened, sql.SQL("DROP SUBSCRIPTION {}").format(one), f"subscription {name}", "dropped")


def _callers(opened: Session) -> Iterator[str]:
    for (name,) in opened.execute(EXTENSIONS, [list(CALLERS)]).fetchall():
        functions = [sql.SQL(function) for (function,) in opened.execute(MEMBERS, [name]).fetchall()]
        command = sql.SQL("REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC").format(sql.SQL(", ").join(functions))
        yield _done(opened, command, f"functions of the extension {name}", "taken from everybody but their owner")


def _jobs(opened: Session) -> Iterator[str]:
    if opened.execute(JOBS).fetchone() == (True,):
        yield _done(opened, sql.SQL("UPDATE cron.job SET active = false"), "jobs of pg_cron", "switched off")


def _named(opened: Session) -> Iterator[str]:
    """Yield what stays as it is, because a migration may depend on it, and could call out."""
    for (name,) in opened.execute(EVENT_TRIGGERS).fetchall():
        yield f"event trigger {name}: left as it is"
    for function, language in opened.execute(UNTRUSTED).fetchall():
        yield f"function {function} in {language}: left as it is, and not held back by the server"


def _done(opened: Session, command: sql.SQL | sql.Composed, what: str, how: str) -> str:
    try:
        opened.execute(command)
    except psycopg.errors.Error as refused:
        if opened.broken or opened.closed:
            raise
        return f"{what}: could not be {how} (SQLSTATE {refused.sqlstate})"
    return f"{what}: {how}"
