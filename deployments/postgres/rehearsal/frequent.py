"""Which queries a target answers most, as pg_stat_statements counts them: with $1 in the place of every value."""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from deployments.postgres.connect import Session
from deployments.postgres.transactional import is_lost

MOST = 20
THERE = """
SELECT nspname FROM pg_catalog.pg_extension JOIN pg_catalog.pg_namespace namespace ON namespace.oid = extnamespace
WHERE extname = 'pg_stat_statements'
"""
# By the time they took in sum. What is hidden from this role has a text that says so.
COUNTED = """
SELECT query FROM {} WHERE dbid = (SELECT oid FROM pg_catalog.pg_database
  WHERE datname = pg_catalog.current_database()) AND toplevel
  AND userid <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user)
ORDER BY total_exec_time DESC LIMIT %s
"""
HIDDEN = "<insufficient privilege>"


@dataclass(frozen=True, slots=True)
class Frequent:
    """The texts, those that took most time in sum first; `why` says why there are none, or that some are hidden."""

    texts: tuple[str, ...] = ()
    why: str = ""


def frequent_queries(opened: Session, *, most: int = MOST) -> Frequent:
    """Return the queries of other roles that took most time. Raises the driver's error only if it is the link."""
    found = opened.execute(THERE).fetchone()
    if found is None:
        return Frequent(why="the extension pg_stat_statements is not there")
    query = sql.SQL(COUNTED).format(sql.Identifier(found[0], "pg_stat_statements"))
    try:
        with opened.transaction():
            texts = [text for (text,) in opened.execute(query, [most]).fetchall() if text]
    except psycopg.Error as refused:
        if is_lost(opened, refused):
            raise
        return Frequent(why=f"pg_stat_statements cannot be read (SQLSTATE {refused.sqlstate})")
    hidden = texts.count(HIDDEN)
    why = f"{hidden} are hidden from this role, which takes pg_read_all_stats" if hidden else ""
    return Frequent(tuple(text for text in texts if text != HIDDEN), why)
