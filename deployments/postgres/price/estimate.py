"""What was written in a database since a backup of it: per table, exactly where that can be counted in the time given.

Every version of a row names the transaction that wrote it, and the backup notes which transactions its snapshot shows.
So a row whose writer it does not show was inserted or updated since, and what then is missing of the rows of the backup
was updated or deleted. Both numbers are exact, without a key and without the backup itself. They cannot be had

- where the rows were written anew without being changed, as some forms of ALTER TABLE do: then it is "at most";
- where the database is not the one that was dumped (it was restored since), or its transactions were counted round;
- where counting takes too long. There the server's own counters say "at most", and after a crash or a reset nothing.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import psycopg
from psycopg import sql

from deployments.postgres.connect import Session
from deployments.postgres.price.origin import Origin, read_origin

# The number of a writer has 32 bits: it is completed by the present count. Most rows are older than all that was under
# way at the backup, and only the others are looked up.
WRITTEN = """
SELECT count(*), count(*) FILTER (WHERE age(xmin) <= age({oldest}::xid) AND NOT pg_catalog.pg_visible_in_snapshot(
    (CASE WHEN {round} + xmin::text::bigint < {next} THEN {round} + xmin::text::bigint
          ELSE {round} + xmin::text::bigint - 4294967296 END)::text::xid8, {snapshot}::pg_snapshot))
FROM ONLY {table}
"""
TABLES = """
SELECT format('"%s"."%s"', replace(nspname, '"', '""'), replace(relname, '"', '""')), nspname, relname,
       relpages
FROM pg_catalog.pg_class relation JOIN pg_catalog.pg_namespace namespace ON namespace.oid = relnamespace
WHERE relkind = 'r' AND relpersistence <> 't' AND nspname !~ '^(pg_|information_schema$|locktender$)'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend
                  WHERE classid = 'pg_catalog.pg_class'::regclass AND objid = relation.oid AND deptype = 'e')
"""
PASSED = """
SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), %s::pg_lsn)::bigint,
       extract(epoch FROM pg_catalog.clock_timestamp() - %s::timestamptz)::float8,
       (SELECT system_identifier::text FROM pg_catalog.pg_control_system())
"""
OURS = '"locktender".'
ROUND = 2**32  # transactions, after which the short numbers begin anew
TABLE_SECONDS = 10.0
LIMITS = """
SELECT set_config('lock_timeout', '200ms', true), set_config('row_security', 'off', true),
       set_config('statement_timeout', %s, true)
"""
DROPPED = "It was dropped since, and its rows were not counted in the backup."
BEGAN_ANEW = "The server's counters began anew since the backup: it was started again, or they were reset."
REWRITTEN = "Every row of it was written since: whether only the form of the table changed cannot be told."


class Sure(StrEnum):
    """How sure a number is. The values are stored."""

    EXACT = "exact"
    AT_MOST = "at-most"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TablePrice:
    """What a restore costs one table.

    `written` are rows that are there and were inserted or updated since the backup: they are lost, or get their former
    values. `gone` are rows of the backup that were updated or deleted since: they are as before again.
    """

    table: str
    sure: Sure
    written: int | None
    gone: int | None
    why: str = ""  # it is not exact

    def as_evidence(self) -> dict[str, Any]:
        """Return it as values that can be stored."""
        return asdict(self) | {"sure": str(self.sure)}


@dataclass(frozen=True, slots=True)
class Price:
    """What a restore costs a database, as of now. `wal_bytes` is of the whole server; None is not known."""

    tables: tuple[TablePrice, ...]
    wal_bytes: int | None
    minutes: float
    doubts: tuple[str, ...] = ()

    def total(self, sure: Sure) -> int:
        """Return how many written rows are told with this certainty."""
        return sum(one.written or 0 for one in self.tables if one.sure is sure)

    @property
    def unknown(self) -> list[str]:
        """The tables of which nothing is known."""
        return [one.table for one in self.tables if one.sure is Sure.UNKNOWN]

    @property
    def is_nothing(self) -> bool:
        """Whether it is certain that nothing is lost."""
        return all(one.sure is Sure.EXACT and not one.written and not one.gone for one in self.tables)

    def as_evidence(self) -> dict[str, Any]:
        """Return it as values that can be stored. Tables that are unchanged for certain are only counted."""
        told = [one for one in self.tables if one.sure is not Sure.EXACT or one.written or one.gone]
        return {
            "tables": [one.as_evidence() for one in told],
            "unchanged": len(self.tables) - len(told),
            "wal_bytes": self.wal_bytes,
            "minutes": round(self.minutes, 1),
            "doubts": list(self.doubts),
        }


def estimate(opened: Session, content: Mapping[str, Any], *, seconds: float | None = None) -> Price:
    """Return what a restore of the backup with this manifest would cost the database of a session.

    It is asked in a transaction of one moment. Counting ends after so many `seconds`; None counts everything. Raises
    psycopg.Error only if it is the link.
    """
    origin = Origin.of_manifest(content.get("origin"))
    deadline = None if seconds is None else time.monotonic() + seconds
    with opened.transaction():
        opened.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        now = read_origin(opened)
        passed = opened.execute(PASSED, [content["snapshot"]["lsn"], content["snapshot"]["at"]]).fetchone()
        assert passed is not None  # noqa: S101 # functions return one row
        is_same_server = passed[2] == content["server"]["system_identifier"]
        why = _why_not_countable(origin, now, is_same_server=is_same_server)
        tables = sorted(opened.execute(TABLES).fetchall(), key=lambda one: one[3])
        counting = _Counting(opened, content, None if why else origin, now, why, deadline)
        found = [counting.price(name, schema, table) for name, schema, table, _ in tables]
    there = {one[0] for one in tables}
    found += [
        TablePrice(name, Sure.EXACT, 0, rows) if rows is not None else TablePrice(name, Sure.UNKNOWN, 0, None, DROPPED)
        for name, rows in sorted(content["rows"].items())
        if name not in there and not name.startswith(OURS) and name.startswith('"')
    ]
    doubts = [why] if why else []
    if not is_same_server:
        doubts.append("The backup is of another server: how much was logged since cannot be told.")
    return Price(tuple(found), max(0, passed[0]) if is_same_server else None, max(0.0, passed[1] / 60), tuple(doubts))


def _why_not_countable(origin: Origin | None, now: Origin, *, is_same_server: bool) -> str:
    """Return why the writers of rows say nothing about this backup, "" if they do."""
    if origin is None:
        return "The backup is of before it was noted which transactions it shows."
    if not is_same_server or origin.database_oid != now.database_oid:
        return "The database is not the one that was dumped: it was restored since, and every row was written then."
    if _next(now) - _next(origin) > ROUND // 2:
        return "So many transactions went by since the backup that their numbers began anew."
    return ""


def _next(origin: Origin) -> int:
    return int(origin.xids.split(":")[1])


@dataclass(frozen=True, slots=True)
class _Counting:
    """What the tables of one database are counted with. Without an `origin` their rows do not tell who wrote them."""

    opened: Session
    content: Mapping[str, Any]
    origin: Origin | None
    now: Origin
    why: str  # there is no origin
    deadline: float | None

    def price(self, name: str, schema: str, table: str) -> TablePrice:
        """Return the price for one table: by counting if there is time, else by the counters."""
        left = TABLE_SECONDS if self.deadline is None else min(TABLE_SECONDS, self.deadline - time.monotonic())
        is_new = name not in self.content["rows"]
        if left <= 0:
            return self._by_counters(name, "There was no time left to count it.")
        if self.origin is None and not is_new:
            return self._by_counters(name, "")
        try:
            there, written = self._count(sql.Identifier(schema, table), seconds=self.deadline and left)
        except psycopg.errors.QueryCanceled:
            return self._by_counters(name, "It could not be counted in time.")
        except (psycopg.errors.LockNotAvailable, psycopg.errors.InsufficientPrivilege):
            return self._by_counters(name, "It is locked, or may not be read.")
        if is_new:
            return TablePrice(name, Sure.EXACT, there, 0)
        return _judged(name, there=there, written=written, before=self.content["rows"][name])

    def _count(self, table: sql.Identifier, *, seconds: float | None) -> tuple[int, int]:
        origin = self.origin or self.now
        oldest, upcoming = int(origin.xids.split(":")[0]), _next(self.now)
        query = sql.SQL(WRITTEN).format(
            table=table,
            snapshot=sql.Literal(origin.xids),
            oldest=sql.Literal(str(oldest % ROUND)),
            round=sql.Literal(upcoming - upcoming % ROUND),
            next=sql.Literal(upcoming),
        )
        limit = "0" if seconds is None else f"{max(1, round(seconds * 1000))}ms"
        with self.opened.transaction():
            self.opened.execute(LIMITS, [limit])
            row = self.opened.execute(query).fetchone()
        assert row is not None  # noqa: S101 # an aggregate returns one row
        return row[0], row[1]

    def _by_counters(self, name: str, why: str) -> TablePrice:
        """Return what the server's own counters say: "at most", because they count what was rolled back too."""
        why = " ".join(one for one in (self.why, why) if one)
        origin = Origin.of_manifest(self.content.get("origin"))
        if origin is None or origin.database_oid != self.now.database_oid:
            return TablePrice(name, Sure.UNKNOWN, None, None, why)
        if (origin.started, origin.stats_reset) != (self.now.started, self.now.stats_reset):
            return TablePrice(name, Sure.UNKNOWN, None, None, f"{why} {BEGAN_ANEW}")
        before, after = origin.counters.get(name, [0, 0, 0]), self.now.counters.get(name)
        if after is None or any(new < old for old, new in zip(before, after, strict=True)):
            return TablePrice(name, Sure.UNKNOWN, None, None, f"{why} {BEGAN_ANEW}")
        inserted, updated, deleted = (new - old for old, new in zip(before, after, strict=True))
        return TablePrice(name, Sure.AT_MOST, inserted + updated, updated + deleted, f"{why} TRUNCATE is not counted.")


def _judged(name: str, *, there: int, written: int, before: int | None) -> TablePrice:
    """Return the price of a table that was counted. `before` are its rows in the backup, None if nobody counted."""
    if before is None:
        return TablePrice(name, Sure.AT_MOST, written, None, "Its rows were not counted in the backup.")
    gone = max(0, before - (there - written))
    if before and there and written == there:
        return TablePrice(name, Sure.AT_MOST, written, gone, REWRITTEN)
    return TablePrice(name, Sure.EXACT, written, gone)
