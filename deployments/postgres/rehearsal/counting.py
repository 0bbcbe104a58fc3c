"""How many rows or values of a clone did not come back in a copy of it, and in which columns."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from psycopg import sql

from checks.names import qualified
from checks.rehearsal.declared import Declared, Key
from checks.rehearsal.proof import Loss
from checks.rehearsal.rows import shown
from deployments.postgres.connect import Session
from deployments.postgres.rehearsal.state import State, reading, row_of

MOST = 500_000  # rows that are compared one by one; their hashes are held in memory


@dataclass(frozen=True, slots=True)
class Sides:
    """A session with the clone and one with the copy that went there and back, and what both are."""

    clone: Session
    copy: Session
    before: State
    after: State

    def describe(self, table: Key) -> str:
        """Return in words how many rows of a table are not as they were, and in which columns."""
        columns = [one for one in self.before.columns[table] if one in self.after.columns.get(table, ())]
        before = self.before.content.rows[table]
        columns = [one for one in columns if one in before.columns]
        lost = self.missing(table, columns)
        if lost is None:
            return f"rows of {shown(table)} do not come back as they were"
        other = [one for one in columns if not self._is_same(table, one)]
        where = f": column {', '.join(map(qualified, other))}" if other else ""
        if not lost:
            more = self.after.content.rows[table].count - before.count
            return f"{shown(table)} comes back with {more:,} rows that were not there"
        return f"{lost:,} of {before.count:,} rows of {shown(table)} do not come back as they were{where}"

    def losses(self, may_go: Declared) -> list[Loss]:
        """Return what was lost of what is declared irreversible, counted."""
        found = []
        for table in sorted(may_go.tables):
            total = _count(self.clone, table)
            columns = [one for one in self.before.columns[table] if one in self.after.columns.get(table, ())]
            lost = self.missing(table, columns) if table in self.after.columns else total
            found.append(Loss(shown(table), "rows", total if lost is None else lost, total, lost is not None))
        for table, named in sorted(may_go.columns.items()):
            for column in sorted(named):
                name = f"{shown(table)}.{qualified(column)}"
                total = _count(self.clone, table, column)
                lost = self._values(table, column) if column in self.after.columns.get(table, ()) else total
                found.append(Loss(name, "values", total if lost is None else lost, total, lost is not None))
        return found

    def missing(self, table: Key, columns: Collection[str]) -> int | None:
        """Return how many rows of the clone the copy has not; None where there are too many to compare."""
        if max(_count(self.clone, table), _count(self.copy, table)) > MOST:
            return None
        there, here = _hashes(self.copy, table, columns), _hashes(self.clone, table, columns)
        return (here - there).total()

    def _values(self, table: Key, column: str) -> int | None:
        """Return how many values of a column are gone, each with the key of its row where there is one."""
        key = self.before.keys.get(table, ())
        if not set(key) <= set(self.after.columns.get(table, ())):
            key = ()
        if max(_count(self.clone, table), _count(self.copy, table)) > MOST:
            return None
        every = sorted({*key, column})
        here, there = (_hashes(side, table, every, filled=column) for side in (self.clone, self.copy))
        return (here - there).total()

    def _is_same(self, table: Key, column: str) -> bool:
        here, there = (_hashes(side, table, [column]) for side in (self.clone, self.copy))
        return here == there


def _count(opened: Session, table: Key, column: str = "") -> int:
    what = sql.SQL("count({})").format(sql.Identifier(column)) if column else sql.SQL("count(*)")
    with reading(opened):
        row = opened.execute(sql.SQL("SELECT {} FROM ONLY {}").format(what, sql.Identifier(*table))).fetchone()
    return int(row[0]) if row else 0


def _hashes(opened: Session, table: Key, columns: Collection[str], *, filled: str = "") -> Counter[int]:
    query = sql.SQL('SELECT hashtextextended({} COLLATE "C", 0) FROM ONLY {}').format(
        row_of(columns), sql.Identifier(*table)
    )
    if filled:
        query += sql.SQL(" WHERE {} IS NOT NULL").format(sql.Identifier(filled))
    with reading(opened):
        return Counter(value for (value,) in opened.execute(query))
