"""Having queries planned on a copy, before and after a migration: EXPLAIN alone, which runs nothing."""

from collections.abc import Sequence

import psycopg
from psycopg import sql

from checks.rehearsal.plans import PlanChange, Planned, changed, planned
from checks.rehearsal.queries import Query
from deployments.postgres.connect import Session, Target
from deployments.postgres.privileges import become_owner
from deployments.postgres.rehearsal.databases import Databases
from deployments.postgres.rehearsal.sending import reason
from deployments.postgres.transactional import is_lost

KNOWS_GENERIC = 160000
NEEDS_GENERIC = "not planned, because it has parameters, and PostgreSQL 16 is the first to plan without their values"
SIZES = """
SELECT namespace.nspname || '.' || relname, pg_catalog.pg_table_size(relation.oid) FROM pg_catalog.pg_class relation
JOIN pg_catalog.pg_namespace namespace ON namespace.oid = relation.relnamespace WHERE relkind IN ('r', 'm')
AND nspname !~ '^(pg_|information_schema$)'
"""
LIMITS = "SELECT pg_catalog.set_config('statement_timeout', '30min', false)"  # ANALYZE reads samples of every table


class Explained:
    """The plans of queries on a copy before its migrations, to compare with those after them."""

    def __init__(self, databases: Databases, target: Target, queries: Sequence[Query]) -> None:
        """Nothing is asked yet. `target` says who acts."""
        self._databases, self._target = databases, target
        generic = databases.server_version >= KNOWS_GENERIC
        self._queries = [one for one in queries if generic or not one.has_parameters]
        self.unplanned = [f"{one.name}: {NEEDS_GENERIC}" for one in queries if not generic and one.has_parameters]
        self._before: dict[str, Planned] = {}
        self.changes: list[PlanChange] = []

    @property
    def count(self) -> int:
        """How many queries could be planned before."""
        return sum(not one.why for one in self._before.values())

    def before(self, state: str) -> None:
        """Note the plans of now. What cannot be planned is told, and compared with nothing."""
        self._before, _ = self._plans(state)
        self.unplanned += [f"{name}: {one.why}" for name, one in self._before.items() if one.why]

    def after(self, state: str) -> None:
        """Compare the plans of now with those from before."""
        plans, sizes = self._plans(state)
        for name, was in self._before.items():
            self.changes += changed(name, was, plans[name], sizes)

    def _plans(self, state: str) -> tuple[dict[str, Planned], dict[str, int]]:
        """Return the plans with statistics of now, which a restored database has none of, and the tables' sizes."""
        if not self._queries:
            return {}, {}
        with self._databases.session(state) as opened:
            opened.execute(LIMITS)
            opened.execute("ANALYZE")
            sizes = dict(opened.execute(SIZES).fetchall())
            become_owner(opened, self._target)
            return {one.name: _plan(opened, one) for one in self._queries}, sizes


def _plan(opened: Session, query: Query) -> Planned:
    options = sql.SQL("FORMAT JSON, VERBOSE, GENERIC_PLAN" if query.has_parameters else "FORMAT JSON, VERBOSE")
    command = sql.SQL("EXPLAIN ({}) ").format(options).as_string(opened) + query.sql
    try:
        with opened.transaction(force_rollback=True):
            opened.execute("SET TRANSACTION READ ONLY")
            row = opened.execute(command.encode()).fetchone()
    except psycopg.Error as refused:
        if is_lost(opened, refused):
            raise
        return Planned(why=reason(refused))
    return planned(row[0]) if row else Planned(why="the server said nothing")
