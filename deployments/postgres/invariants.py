"""Reading what must hold around a migration: constraints, indexes, rows that refer to nothing, and row counts."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from checks.integrity.invariants import Found, Item, Orphans, Rows
from checks.integrity.verdicts import Refusal
from checks.names import qualified, split
from deployments.postgres.connect import Session
from deployments.postgres.snapshots import OWN
from deployments.postgres.stop import Stop
from deployments.postgres.verify import ask

COUNT_LIMIT = timedelta(seconds=10)
LOCK_LIMIT = timedelta(seconds=2)
EXACT_BELOW = 1_000_000  # rows, by the server's estimate
TIME_USED_UP = Refusal("", "The time for all counts was used up.")
OVER_PERIODS = Refusal("", "A foreign key over periods is not counted.")

# A name without a schema means the tables of every schema; the name of an index means its table.
TABLES = f"""
SELECT DISTINCT relation.oid
FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS wanted (schema, name)
JOIN pg_class named ON named.relname = wanted.name
JOIN pg_namespace namespace ON namespace.oid = named.relnamespace AND wanted.schema IN ('', namespace.nspname)
LEFT JOIN pg_index ON indexrelid = named.oid
JOIN pg_class relation ON relation.oid = coalesce(indrelid, named.oid)
WHERE relation.relkind IN ('r', 'p') AND {OWN}
"""
OF_TABLES = """
SELECT namespace.nspname, relation.relname, {columns}
FROM {catalog} JOIN pg_class relation ON relation.oid = {table}
JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace
WHERE {condition} ORDER BY 1, 2, 3
"""
# What a partition has from its parent is not listed again.
CONSTRAINTS = OF_TABLES.format(
    columns="conname, convalidated",
    catalog="pg_constraint",
    table="conrelid",
    condition="conparentid = 0 AND (conrelid = ANY(%(tables)s) OR contype = 'f' AND confrelid = ANY(%(tables)s))",
)
INDEXES = OF_TABLES.format(
    columns="index.relname, indisvalid AND indisready, index.relkind = 'I'",
    catalog="pg_index JOIN pg_class index ON index.oid = indexrelid",
    table="indrelid",
    condition="indrelid = ANY(%(tables)s)",
)
# The query that counts is written by the server: its own quoting, and the operators of the foreign key. As in the
# server's own check, a table is looked at alone unless it has partitions. A key over periods needs another query.
FOREIGN_KEYS = OF_TABLES.format(
    columns="""conname, convalidated, coalesce((to_jsonb(pg_constraint)->>'conperiod')::boolean, false),
    format('SELECT count(*) FROM %%s %%I.%%I AS child WHERE (%%s) AND'
        ' NOT EXISTS (SELECT FROM %%s %%I.%%I AS parent WHERE %%s)',
        CASE relation.relkind WHEN 'p' THEN '' ELSE 'ONLY' END, namespace.nspname, relation.relname, pairs.present,
        CASE parent.relkind WHEN 'p' THEN '' ELSE 'ONLY' END, of_parent.nspname, parent.relname, pairs.equal)""",
    catalog="""pg_constraint
    JOIN pg_class parent ON parent.oid = confrelid
    JOIN pg_namespace of_parent ON of_parent.oid = parent.relnamespace
    CROSS JOIN LATERAL (
        SELECT string_agg(format('child.%%I IS NOT NULL', ours.attname),
                CASE confmatchtype WHEN 'f' THEN ' OR ' ELSE ' AND ' END) AS present,
            string_agg(format('parent.%%I OPERATOR(%%I.%%s) child.%%I', theirs.attname, of_operator.nspname, oprname,
                ours.attname), ' AND ') AS equal
        FROM unnest(conkey, confkey, conpfeqop) AS pair (key, parent_key, operator)
        JOIN pg_attribute ours ON ours.attrelid = conrelid AND ours.attnum = pair.key
        JOIN pg_attribute theirs ON theirs.attrelid = confrelid AND theirs.attnum = pair.parent_key
        JOIN pg_operator ON pg_operator.oid = pair.operator
        JOIN pg_namespace of_operator ON of_operator.oid = oprnamespace) AS pairs""",
    table="conrelid",
    condition="contype = 'f' AND conparentid = 0 AND (conrelid = ANY(%(tables)s) OR confrelid = ANY(%(tables)s))",
)
# Of a table with partitions the estimate is that of all of them. What was never counted adds nothing to it.
ESTIMATES = """
WITH RECURSIVE part (root, oid) AS (
    SELECT oid, oid FROM pg_class WHERE oid = ANY(%(tables)s)
    UNION ALL SELECT root, inhrelid FROM part JOIN pg_inherits ON inhparent = part.oid)
SELECT namespace.nspname, relation.relname,
    (SELECT sum(greatest(reltuples, 0))::bigint FROM part JOIN pg_class USING (oid) WHERE root = relation.oid),
    format('SELECT count(*) FROM %%I.%%I', namespace.nspname, relation.relname)
FROM pg_class relation JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace
WHERE relation.oid = ANY(%(tables)s) ORDER BY 1, 2
"""


def look(
    opened: Session, touches: Iterable[str], *, stop: Stop, time_limit: timedelta, count_limit: timedelta = COUNT_LIMIT
) -> Found:
    """Return what is found of these tables, those that are there, and of the foreign keys that refer to them.

    `touches` are names as `checks` gives them. Nothing waits longer than `count_limit` for one count, nor goes on after
    `time_limit` for all: what is not counted says so. Called inside `reading`. Raises what `stop` raises.
    """
    deadline = time.monotonic() + time_limit.total_seconds()

    def count(query: str) -> int | Refusal:
        stop.require_may_start()
        left = timedelta(seconds=deadline - time.monotonic())
        if left <= timedelta(0):
            return TIME_USED_UP
        return ask(opened, lambda: _count(opened, query), limit=min(count_limit, left), lock_limit=LOCK_LIMIT)

    with _catalogue(opened):
        tables = _tables(opened, touches)
        constraints = opened.execute(CONSTRAINTS, tables).fetchall()
        indexes = opened.execute(INDEXES, tables).fetchall()
        foreign_keys = opened.execute(FOREIGN_KEYS, tables).fetchall()
        estimates = opened.execute(ESTIMATES, tables).fetchall()
    return Found(
        constraints=tuple(Item(qualified(schema, table), *rest) for schema, table, *rest in constraints),
        indexes=tuple(Item(qualified(schema, table), *rest) for schema, table, *rest in indexes),
        orphans=tuple(
            _orphans(qualified(schema, table), name, valid, OVER_PERIODS if has_period else count(query))
            for schema, table, name, valid, has_period, query in foreign_keys
        ),
        rows=tuple(
            Rows(qualified(schema, table), estimate, is_estimate=True)
            if estimate >= EXACT_BELOW
            else _rows(qualified(schema, table), count(query))
            for schema, table, estimate, query in estimates
        ),
    )


@contextmanager
def _catalogue(opened: Session) -> Iterator[None]:
    """Read the catalogue itself, whatever the search path is outside."""
    with opened.transaction(force_rollback=True):
        opened.execute("SET LOCAL search_path = pg_catalog")
        yield


def _tables(opened: Session, touches: Iterable[str]) -> dict[str, list[int]]:
    wanted = [split(name) for name in touches]
    names = {"schemas": [schema for schema, _ in wanted], "names": [name for _, name in wanted]}
    return {"tables": [oid for (oid,) in opened.execute(TABLES, names).fetchall()]}


def _count(opened: Session, query: str) -> int:
    row = opened.execute(query.encode()).fetchone()
    assert row is not None  # noqa: S101 # an aggregate returns one row
    return int(row[0])


def _orphans(table: str, name: str, is_valid: bool, counted: int | Refusal) -> Orphans:  # noqa: FBT001
    if isinstance(counted, Refusal):
        return Orphans(table, name, is_valid, count=None, reason=counted.message)
    return Orphans(table, name, is_valid, count=counted)


def _rows(table: str, counted: int | Refusal) -> Rows:
    if isinstance(counted, Refusal):
        return Rows(table, count=None, reason=counted.message)
    return Rows(table, count=counted)
