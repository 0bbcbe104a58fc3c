"""What a rollback script would drop, and which rows would not fit the schema it brings back: counted on the target.

Every version of a row names the transaction that wrote it, and the history names those of the migrations. What the
migration itself wrote, a column's default among it, another run of the migration writes again: it is told, and is no
loss. What others wrote since is one, unless the author says by which expression it can be had again. Of the values of a
column that is at most so many: whoever changes another column of a row writes all of it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg import sql

from checks.dropped import Drop
from checks.names import parts, unqualified
from checks.rehearsal.misfits import Misfit
from deployments.postgres.connect import Session
from deployments.postgres.price.estimate import LIMITS, Sure
from deployments.postgres.transactional import is_lost

ROUND = 2**32  # transactions, after which the short numbers begin anew: no way back is taken so late
TABLE_SECONDS = 5.0
# Of a column whose default was added without touching a row, the value of untouched rows stands in the catalogue.
KNOWN = """
SELECT relation.relkind::text, greatest(relation.reltuples, 0)::bigint,
       (SELECT (attmissingval::text::text[])[1] FROM pg_attribute
        WHERE attrelid = relation.oid AND attname = %s AND NOT attisdropped),
       EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation.oid AND attname = %s AND NOT attisdropped),
       namespace.nspname, relation.relname
FROM pg_class relation JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace
WHERE relation.oid = to_regclass(%s)
"""
OWN = """
SELECT DISTINCT transaction::text::bigint %% 4294967296 FROM locktender.history
WHERE direction = 'forward' AND migration = ANY(%s)
"""
HISTORY = "SELECT to_regclass('locktender.history') IS NOT NULL"
NOT_THERE = "It is not there now."
NO_TIME = "There was no time left to count it."


@dataclass(frozen=True, slots=True)
class Going:
    """What goes with one table or column: `count` values or rows, of which others wrote `since` after the migration.

    `lost` are those of them that cannot be had again, `underivable` all that cannot be, of whoever wrote them; None
    where no expression says so. Any number is None where it is not known, and at most so many where `sure` says it;
    `since` and `lost` of values are always at most.
    """

    name: str
    what: str  # values or rows
    sure: Sure
    count: int | None
    since: int | None
    lost: int | None
    underivable: int | None = None
    is_declared: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True)
class Unfit:
    """How many rows do not fit the old schema in one respect; None where that is not known."""

    what: str
    count: int | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class ScriptPrice:
    """What a way back by script costs a database, as of one moment."""

    going: tuple[Going, ...]
    unfit: tuple[Unfit, ...]
    untold: tuple[str, ...]
    seconds: float

    def as_evidence(self) -> dict[str, Any]:
        """Return it as values that can be stored. Respects in which every row fits are only counted."""
        told = [one for one in self.unfit if one.count != 0]
        return {
            "going": [asdict(one) | {"sure": str(one.sure)} for one in self.going],
            "unfit": [asdict(one) for one in told],
            "fitting": len(self.unfit) - len(told),
            "untold": list(self.untold),
            "seconds": round(self.seconds, 1),
        }


def script_price(
    opened: Session,
    drops: Sequence[Drop],
    misfits: Sequence[Misfit],
    *,
    migrations: Sequence[str],
    is_one_transaction: bool,
    untold: Sequence[str] = (),
    seconds: float,
) -> ScriptPrice:
    """Return what is counted within so many `seconds`, in a session that only reads in one transaction.

    Without `is_one_transaction` the migrations wrote in transactions that the history does not name: what they wrote
    cannot be told from what others wrote, and `since` is at most. Raises the driver's error if the link is lost.
    """
    began = time.monotonic()
    has_history = opened.execute(HISTORY).fetchone() == (True,)
    own = [one for (one,) in opened.execute(OWN, [list(migrations)]).fetchall()] if has_history else []
    counting = _Counting(opened, own, bool(own) and is_one_transaction, began + seconds)
    going = tuple(map(counting.going, drops))
    unfit = tuple(map(counting.unfit, misfits))
    return ScriptPrice(going, unfit, tuple(untold), time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class _Counting:
    opened: Session
    own: list[int]
    is_exact: bool
    deadline: float

    def going(self, drop: Drop) -> Going:
        """Return what goes with a table or column: counted, or at most what the catalogue estimates."""
        column = unqualified(drop.column) if drop.column else ""
        table = ".".join(parts(drop.table))
        found = self._asked(lambda: self.opened.execute(KNOWN, [column, column, table]).fetchone())
        if isinstance(found, str) or found is None or (column and not found[3]):
            return self._uncounted(drop, found if isinstance(found, str) else NOT_THERE, None)
        kind, estimate, missing, _, *place = found
        if kind not in {"r", "p"}:
            return self._uncounted(drop, "It is no table: its rows are elsewhere.", None)
        query = _query(sql.Identifier(*place), column, self.own, missing, drop.derivable)
        counted = self._asked(lambda: self.opened.execute(query).fetchone())
        if isinstance(counted, str) and drop.derivable and "refused" in counted:
            plain = _query(sql.Identifier(*place), column, self.own, missing, "")
            again = self._asked(lambda: self.opened.execute(plain).fetchone())
            why = f"What its author says it can be had from: {counted}"
            return self._uncounted(drop, again, estimate) if isinstance(again, str) else self._counted(drop, again, why)
        if isinstance(counted, str):
            return self._uncounted(drop, counted, estimate)
        return self._counted(drop, counted, "")

    def _counted(self, drop: Drop, row: Sequence[int] | None, why: str) -> Going:
        assert row is not None  # noqa: S101 # an aggregate returns one row
        count, since, underivable, lost = row
        sure = Sure.EXACT if self.is_exact else Sure.AT_MOST
        if not self.is_exact:
            why = f"{why} What the migration wrote itself is not told apart.".strip()
        is_told = drop.derivable and not why.startswith("What its")
        return Going(
            drop.name, _what(drop), sure, count, since, lost, underivable if is_told else None, drop.is_declared, why
        )

    def _uncounted(self, drop: Drop, why: str, estimate: int | None) -> Going:
        if why == NOT_THERE:
            return Going(drop.name, _what(drop), Sure.EXACT, 0, 0, 0, None, drop.is_declared, why)
        if not estimate:  # never analysed, or not allowed to look
            return Going(drop.name, _what(drop), Sure.UNKNOWN, None, None, None, None, drop.is_declared, why)
        why = f"{why} So many rows it had about, when it was last analysed."
        return Going(drop.name, _what(drop), Sure.AT_MOST, estimate, None, None, None, drop.is_declared, why)

    def unfit(self, misfit: Misfit) -> Unfit:
        """Return how many rows do not fit in one respect."""
        if self.opened.info.server_version < misfit.since:
            return Unfit(misfit.what, None, "This server cannot tell beforehand which values a type takes.")
        table = sql.Identifier(*misfit.table)
        condition = sql.SQL(misfit.condition)
        if misfit.double:
            query = sql.SQL(
                "SELECT coalesce(sum(same - 1), 0)::bigint FROM (SELECT count(*) AS same FROM {} AS locktender_row "
                "WHERE {} GROUP BY {} HAVING count(*) > 1) AS locktender_double"
            ).format(table, condition, sql.SQL(", ").join(map(sql.SQL, misfit.double)))
        else:
            query = sql.SQL("SELECT count(*) FROM {} AS locktender_row WHERE {}").format(table, condition)
        counted = self._asked(lambda: self.opened.execute(query).fetchone())
        if isinstance(counted, str) or counted is None:
            return Unfit(misfit.what, None, counted or "")
        return Unfit(misfit.what, counted[0])

    def _asked(self, question: Callable[[], Any]) -> Any:
        """Return what a question gives, or in a sentence why it gave nothing. Raises psycopg.Error for a lost link."""
        left = min(TABLE_SECONDS, self.deadline - time.monotonic())
        if left <= 0:
            return NO_TIME
        try:
            with self.opened.transaction(force_rollback=True):
                self.opened.execute(LIMITS, [f"{max(1, round(left * 1000))}ms"])
                return question()
        except psycopg.errors.QueryCanceled:
            return "It could not be counted in time."
        except (psycopg.errors.LockNotAvailable, psycopg.errors.InsufficientPrivilege):
            return "It is locked, or may not be read."
        except psycopg.Error as refused:
            if is_lost(self.opened, refused):
                raise
            return f"The server refused the question (SQLSTATE {refused.sqlstate})."


def _query(table: sql.Identifier, column: str, own: Sequence[int], missing: str | None, derivable: str) -> sql.Composed:
    """Return the query for how many there are, how many others wrote, how many are underivable, and both at once."""
    name = sql.SQL("locktender_row.") + sql.Identifier(column) if column else sql.SQL("true")
    others = sql.SQL("xmin::text::bigint <> ALL({}::bigint[])").format(sql.Literal(list(own)))
    if missing is not None:
        others += sql.SQL(" AND {}::text IS DISTINCT FROM {}").format(name, sql.Literal(missing))
    # On lines of its own: what the author wrote may end with a comment.
    again = sql.SQL("{} IS DISTINCT FROM (\n{}\n)").format(name, sql.SQL(derivable)) if derivable else sql.SQL("true")
    return sql.SQL(
        "SELECT count({name}), count({name}) FILTER (WHERE {others}), count({name}) FILTER (WHERE {again}), "
        "count({name}) FILTER (WHERE {others} AND {again}) FROM {table} AS locktender_row"
    ).format(name=name, others=others, again=again, table=table)


def _what(drop: Drop) -> str:
    return "values" if drop.column else "rows"
