"""What an onlooker with a session of his own finds in a database: its schema, and the rows that are there.

It asks PostgreSQL itself and shares nothing with Locktender, whose word it is compared with.
"""

import hashlib
import time
from dataclasses import dataclass

import psycopg
from psycopg import sql

SCHEMA = """
SELECT format('%s %s %s %s %s %s', c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
              a.attnotnull, pg_get_expr(d.adbin, d.adrelid))
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
UNION ALL
SELECT format('%s %s %s %s', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
 WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal
UNION ALL
SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
ORDER BY 1
"""
PATIENCE_SECONDS = 60
LOOK_SECONDS = 0.05
TABLES = ("users", "businesses", "refresh_tokens", "transactions", "point_ledger", "notification_log")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table up to an identifier: how many, and one hash over all of them."""

    last: object
    count: int
    digest: object


@dataclass(frozen=True, slots=True)
class Seen:
    """A database at a moment."""

    schema: str
    rows: dict[str, Rows]


def look(connection: str, *, like: Seen | None = None) -> Seen:
    """Return the schema, and every row; with `like`, of the rows only those that were there then."""
    with psycopg.connect(connection, autocommit=True) as opened:
        last = {name: like.rows[name].last for name in TABLES} if like else _last(opened)
        lines = [text for (text,) in opened.execute(SCHEMA).fetchall() if "_prisma_migrations" not in text]
        rows = {table: _rows(opened, table, last[table]) for table in TABLES}
    return Seen(hashlib.sha256("\n".join(lines).encode()).hexdigest(), rows)


def _last(opened: psycopg.Connection[tuple[object, ...]]) -> dict[str, object]:
    """Return the highest identifier of each table when nobody can commit a lower one any more.

    Identifiers are drawn in order and committed in another: whoever was at work when they were read must have ended.
    """
    highest = sql.SQL(", ").join(sql.SQL("(SELECT max(id) FROM {})").format(sql.Identifier(name)) for name in TABLES)
    found = opened.execute(sql.SQL("SELECT {}, pg_snapshot_xmax(pg_current_snapshot())").format(highest)).fetchone()
    *last, next_transaction = found or ()
    ended = "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= %s::xid8"
    until = time.monotonic() + PATIENCE_SECONDS
    while opened.execute(ended, [str(next_transaction)]).fetchone() != (True,):
        if time.monotonic() > until:
            raise TimeoutError(f"A transaction has been open for {PATIENCE_SECONDS} s.")
        time.sleep(LOOK_SECONDS)
    return dict(zip(TABLES, last, strict=True))


def _rows(opened: psycopg.Connection[tuple[object, ...]], table: str, last: object) -> Rows:
    name = sql.Identifier(table)
    # A sum does not depend on the order, and unlike XOR two equal rows do not cancel each other out.
    found = opened.execute(
        sql.SQL("SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {} t WHERE id <= %s").format(name),
        [last],
    ).fetchone()
    count, digest = found or (0, None)
    return Rows(last, int(str(count)), digest)
