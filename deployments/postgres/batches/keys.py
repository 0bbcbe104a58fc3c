"""The key that batches go by: is it one in this very table, which comes next, how many are there about."""

from dataclasses import dataclass

from psycopg import sql

from checks.batch import Batch
from checks.names import parts, unqualified
from deployments.errors import DeploymentError
from deployments.postgres.connect import Session

# A unique index whose order is the one that comparing its columns has: B-tree, complete, of the columns' own collations
# and the types' usual operators, on columns that hold no null.
IS_KEY = """
SELECT EXISTS (
  SELECT FROM pg_index entry
  JOIN pg_class class ON class.oid = entry.indexrelid
  JOIN pg_am method ON method.oid = class.relam AND method.amname = 'btree'
  WHERE entry.indrelid = to_regclass(%(table)s) AND entry.indisunique AND entry.indisvalid AND entry.indisready
    AND entry.indpred IS NULL AND entry.indexprs IS NULL AND entry.indnkeyatts = cardinality(%(key)s::text[])
    AND NOT EXISTS (
      SELECT FROM generate_series(0, entry.indnkeyatts - 1) AS place
      LEFT JOIN pg_attribute part ON part.attrelid = entry.indrelid AND part.attnum = entry.indkey[place]
      LEFT JOIN pg_opclass family ON family.oid = entry.indclass[place]
      WHERE part.attname IS DISTINCT FROM (%(key)s::text[])[place + 1] OR NOT part.attnotnull
        OR entry.indcollation[place] <> part.attcollation OR NOT family.opcdefault))
"""
# Children by INHERITS have no part in the index; partitions have.
IS_ALONE = """
SELECT NOT EXISTS (
  SELECT FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
  WHERE inhparent = to_regclass(%(table)s) AND NOT child.relispartition)
"""
ESTIMATE = """
SELECT CASE WHEN min(reltuples) < 0 THEN NULL ELSE sum(reltuples)::bigint END
FROM pg_class WHERE relkind IN ('r', 't') AND oid IN (
  SELECT relid FROM pg_partition_tree(to_regclass(%(table)s)) WHERE isleaf UNION SELECT to_regclass(%(table)s))
"""
# Text that means the same again whatever the database or the role prefers.
AS_TEXT = """
SELECT set_config('DateStyle', 'ISO, YMD', true), set_config('IntervalStyle', 'postgres', true),
       set_config('extra_float_digits', '1', true), set_config('bytea_output', 'hex', true)
"""


class BatchKeyUnusable(DeploymentError):
    """The table has no such key, whatever was known of it when the plan was made."""

    code = "batch-key-unusable"

    def __init__(self, *, table: str, key: str, left: str) -> None:
        super().__init__(
            f"{key} is not a key of {table} to go through it by: it needs a valid unique B-tree index without a "
            f"condition on exactly these columns, NOT NULL, and no table that inherits from it. {left} Name such a key "
            "in the comment, sync, and ask for a new run."
        )


@dataclass(frozen=True, slots=True)
class Page:
    """The next rows in the order of the key: the first and the last of them, as text, and how many they are."""

    first: list[str]
    last: list[str]
    count: int


def is_usable(opened: Session, batch: Batch) -> bool:
    """Return whether the table has this key, as the catalogue says now."""
    asked = {"table": batch.table, "key": [unqualified(one) for one in batch.key]}
    row = opened.execute(IS_KEY, asked).fetchone()
    alone = batch.is_only or opened.execute(IS_ALONE, asked).fetchone() == (True,)
    return bool(row and row[0]) and alone


def estimated_rows(opened: Session, batch: Batch) -> int | None:
    """Return how many rows the server estimates, None where it never counted."""
    row = opened.execute(ESTIMATE, {"table": batch.table}).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def last_key(opened: Session, batch: Batch) -> list[str] | None:
    """Return the greatest key there is now, as text; None for an empty table."""
    query = sql.SQL("SELECT ARRAY[{texts}] FROM {table} ORDER BY {down} LIMIT 1").format(
        texts=_texts(batch),
        table=_table(batch),
        down=sql.SQL(", ").join(sql.SQL("{} DESC").format(one) for one in _key(batch)),
    )
    row = opened.execute(query).fetchone()
    return None if row is None else list(row[0])


def next_page(opened: Session, batch: Batch, *, after: list[str] | None, upto: list[str], size: int) -> Page | None:
    """Return the next `size` keys after one, none beyond another; None when there is none."""
    order, width = sql.SQL(", ").join(_key(batch)), len(batch.key)
    of_row = sql.SQL("({})").format(order) if width > 1 else order
    marks = sql.SQL("({})" if width > 1 else "{}").format(sql.SQL(", ").join([sql.Placeholder()] * width))
    beyond = sql.SQL("{row} > {marks} AND ").format(row=of_row, marks=marks) if after is not None else sql.SQL("")
    query = sql.SQL(
        "SELECT ARRAY[{texts}], number, total FROM (SELECT {order}, row_number() OVER (ORDER BY {order}) AS number,"
        " count(*) OVER () AS total FROM (SELECT {order} FROM {table} WHERE {beyond}{row} <= {marks} ORDER BY {order}"
        " LIMIT {size}) AS page) AS counted WHERE number IN (1, total) ORDER BY number"
    ).format(
        texts=_texts(batch),
        order=order,
        table=_table(batch),
        beyond=beyond,
        row=of_row,
        marks=marks,
        size=sql.Literal(size),
    )
    rows = opened.execute(query, [*(after or []), *upto]).fetchall()
    return Page(list(rows[0][0]), list(rows[-1][0]), int(rows[-1][2])) if rows else None


def _key(batch: Batch) -> list[sql.Identifier]:
    return [sql.Identifier(unqualified(one)) for one in batch.key]


def _texts(batch: Batch) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("{}::text").format(one) for one in _key(batch))


def _table(batch: Batch) -> sql.Composed:
    """Return the table as the author names it, without what inherits from it where the statement says ONLY."""
    name = sql.Identifier(*map(unqualified, parts(batch.table)))
    return sql.SQL("ONLY {}" if batch.is_only else "{}").format(name)
