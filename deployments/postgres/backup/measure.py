"""Counting and hashing rows, so that two databases can be compared without either being at hand.

The hash of a table does not depend on the order of its rows: it is the sum of a 64-bit hash of each row's text, made in
the server. It finds what a copy lost, doubled or changed; against somebody who wants to deceive it is no proof.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import sql

from deployments.postgres.connect import Session

COUNT_TIMEOUT = timedelta(seconds=60)  # for one table
HASH_TIMEOUT = timedelta(minutes=30)
# The text of a value must not depend on who asks. Row-level security that would hide rows is an error instead.
PLAIN = """
SELECT set_config(name, value, false) FROM (VALUES
    ('search_path', 'pg_catalog'), ('DateStyle', 'ISO, YMD'), ('IntervalStyle', 'postgres'), ('TimeZone', 'UTC'),
    ('extra_float_digits', '3'), ('bytea_output', 'hex'), ('lc_monetary', 'C'), ('row_security', 'off')
) AS wanted (name, value)
"""
# What holds rows of its own and is dumped with them. Members of extensions are dumped by their name alone.
TABLES = """
SELECT relation.oid, namespace.nspname, relation.relname, relation.relpages,
       (relation.relpages + coalesce(toast.relpages, 0)) * current_setting('block_size')::bigint
FROM pg_class relation JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace
LEFT JOIN pg_class toast ON toast.oid = relation.reltoastrelid
WHERE relation.relkind = 'r' AND relation.relpersistence <> 't'
  AND namespace.nspname !~ '^(pg_|information_schema$)'
  AND NOT EXISTS (
    SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = relation.oid AND deptype = 'e')
"""
# Their values belong to no snapshot: what a dump read lies between what was there before it and after it.
SEQUENCES = """
SELECT format('"%s"."%s"', replace(schemaname, '"', '""'), replace(sequencename, '"', '""')), last_value
FROM pg_sequences
"""
LARGE_OBJECTS = "SELECT count(*) FROM pg_largeobject_metadata"
LARGE_OBJECTS_HASH = """
SELECT sum(hashtextextended(oid::text || ':' || encode(sha256(lo_get(oid)), 'hex'), 0))::text
FROM pg_largeobject_metadata
"""
THE_LARGE_OBJECTS = "large objects"
ONE_IN = 16  # rows of a table that is only sampled
# By what a row is chosen for a sample: the same rows in every copy, wherever they lie.
KEYS = """
SELECT indrelid, array_agg(attname::text ORDER BY place)
FROM pg_index CROSS JOIN unnest(indkey) WITH ORDINALITY AS part (number, place)
JOIN pg_attribute ON attrelid = indrelid AND attnum = number
WHERE indisprimary AND indisvalid GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Table:
    """One table that holds rows of its own."""

    oid: int
    schema: str
    name: str
    pages: int = 0  # as the server last counted them
    size_bytes: int = 0  # with what is stored outside of it, by the same count

    def __str__(self) -> str:
        """The name as SQL, always in quotes: pg_dump takes everything between them literally."""
        return ".".join('"' + part.replace('"', '""') + '"' for part in (self.schema, self.name))


@dataclass(frozen=True, slots=True)
class Sample:
    """Which rows of a table are hashed: one in so many, by the hash of its primary key."""

    key: tuple[str, ...]
    one_in: int = ONE_IN

    def as_manifest(self) -> dict[str, Any]:
        """Return it as what the manifest says."""
        return {"key": list(self.key), "one_in": self.one_in}

    @classmethod
    def of_manifest(cls, told: Mapping[str, Any]) -> "Sample":
        """Return what a manifest says. Raises KeyError."""
        return cls(tuple(told["key"]), int(told["one_in"]))


@dataclass(frozen=True, slots=True)
class Limits:
    """How big a database may be for all of its rows to be hashed, and for a sample of them. In bytes; 0 is never."""

    whole_bytes: int = 0
    sampled_bytes: int = 0


@dataclass(slots=True)
class Measured:
    """What was measured in one snapshot. None is "not measured": it took too long, or a lock or a right was missing."""

    rows: dict[str, int | None] = field(default_factory=dict)  # by the table's name as SQL
    hashes: dict[str, str | None] = field(default_factory=dict)  # of those that were to be hashed
    samples: dict[str, Sample] = field(default_factory=dict)  # those of them whose hash is that of a sample
    schema: dict[str, str] | None = None  # object -> hash, see checks.schema
    seconds: float = 0.0


def tables_of(opened: Session) -> list[Table]:
    """Return the tables that hold rows of their own."""
    return [Table(*row) for row in opened.execute(TABLES)]


def sequences_of(opened: Session) -> dict[str, int | None]:
    """Return the last value of each sequence, None where it gave none out or may not be read."""
    return dict(opened.execute(SEQUENCES).fetchall())


def to_hash(
    tables: Iterable[Table], keys: Mapping[int, list[str]], *, size_bytes: int, limits: Limits
) -> tuple[set[Table], dict[Table, Sample]]:
    """Return the tables whose rows are all hashed, and those of which a sample is, in a database of this size.

    In one too big to be hashed whole, tables are hashed whole from the smallest on, as many bytes as may be; of the
    rest a sample, where they have a primary key.
    """
    if size_bytes <= limits.whole_bytes:
        return set(tables), {}
    whole: set[Table] = set()
    samples: dict[Table, Sample] = {}
    if size_bytes <= limits.sampled_bytes:
        spent = 0
        for table in sorted(tables, key=lambda one: (one.size_bytes, str(one))):
            spent += table.size_bytes
            if spent <= limits.whole_bytes:
                whole.add(table)
            elif table.oid in keys:
                samples[table] = Sample(tuple(keys[table.oid]))
    return whole, samples


def keys_of(opened: Session) -> dict[int, list[str]]:
    """Return the columns of each primary key, by the number of its table."""
    return dict(opened.execute(KEYS).fetchall())


def measure_plainly(opened: Session) -> None:
    """Set a session so that the text of a value is the same for everybody."""
    opened.execute(PLAIN)


def measure(opened: Session, table: Table, *, is_hashed: bool, sample: Sample | None = None) -> tuple[int, str | None]:
    """Return the number of rows of a table, and their hash if it is asked for; that of a sample names its rows too.

    Raises psycopg.Error.
    """
    query = sql.SQL("SELECT count(*), {} FROM ONLY {} t").format(
        _hashed(sample) if is_hashed else sql.SQL("NULL"), sql.Identifier(table.schema, table.name)
    )
    with opened.transaction():
        limit = HASH_TIMEOUT if is_hashed else COUNT_TIMEOUT
        opened.execute("SELECT set_config('statement_timeout', %s, true)", [f"{limit.total_seconds():.3f}s"])
        row = opened.execute(query).fetchone()
    assert row is not None  # noqa: S101 # an aggregate returns one row
    return int(row[0]), row[1]


def _hashed(sample: Sample | None) -> sql.Composable:
    whole = sql.SQL("coalesce(sum(hashtextextended(t::text, 0)), 0)::text")
    if sample is None:
        return whole
    key = sql.SQL(", ").join(sql.Identifier("t", column) for column in sample.key)
    chosen = sql.SQL("FILTER (WHERE hashtextextended(ROW({})::text, 0) % {} = 0)").format(key, sample.one_in)
    return sql.SQL("count(*) {chosen} || ' rows: ' || coalesce(sum(hashtextextended(t::text, 0)) {chosen}, 0)").format(
        chosen=chosen
    )


def measure_large_objects(opened: Session) -> tuple[int, str | None]:
    """Return how many large objects there are, and their hash if they can all be read. Raises psycopg.Error."""
    with opened.transaction():
        count = _value(opened, LARGE_OBJECTS)
    if not count:
        return 0, "0"
    try:
        with opened.transaction():
            opened.execute("SELECT set_config('statement_timeout', %s, true)", [f"{HASH_TIMEOUT.total_seconds():g}s"])
            return count, _value(opened, LARGE_OBJECTS_HASH)
    except psycopg.Error:
        return count, None


def _value(opened: Session, query: str) -> Any:
    row = opened.execute(query).fetchone()
    return None if row is None else row[0]
