"""What a migration would run into, asked of the server before anything begins: sessions, slots, standbys, disk."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from checks.policy.collisions import Collision
from deployments.postgres.activity import LONG_SECONDS
from deployments.postgres.connect import NAME_PREFIX, Session
from deployments.postgres.guard import look_at_server, tells_disk

OLD_SNAPSHOT_TRANSACTIONS = 1_000_000
"""How far behind a slot or standby may hold back what VACUUM removes: a two-hundredth of autovacuum_freeze_max_age."""
MUCH_WAL_BYTES = 10 * 2**30
MOST = 20  # of each kind; the others stand in the way as well, and the first ones are enough to act on

# What somebody else holds on a table of this database, by its full name.
_HELD = """
SELECT lock.pid, lock.virtualtransaction, lock.mode, quote_ident(nspname) || '.' || quote_ident(held.relname) AS name
FROM pg_locks lock JOIN pg_class held ON held.oid = lock.relation JOIN pg_namespace space ON space.oid = relnamespace
WHERE lock.granted AND lock.locktype = 'relation' AND nspname !~ '^(pg_|information_schema$)'
  AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
SESSIONS = f"""
SELECT activity.pid, coalesce(usename, ''), coalesce(application_name, ''), coalesce(state, backend_type),
       coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0)::float,
       array_remove(array_agg(DISTINCT held.name), NULL),
       array_remove(
         array_agg(DISTINCT held.name) FILTER (WHERE held.mode ~ '^(Share|Exclusive|AccessExclusive)'), NULL),
       backend_type = 'autovacuum worker', activity.query LIKE '%%(to prevent wraparound)'
FROM pg_stat_activity activity LEFT JOIN ({_HELD}) held USING (pid)
WHERE datname = current_database() AND pid <> pg_backend_pid() AND activity.leader_pid IS NULL
  AND coalesce(application_name, '') NOT LIKE '{NAME_PREFIX}%%'
GROUP BY 1, 2, 3, 4, 5, 8, 9 ORDER BY 5 DESC
"""
# What a prepared transaction holds has no process. Its lock on its own number leads from one to the other.
PREPARED = f"""
SELECT gid, owner, extract(epoch FROM clock_timestamp() - prepared)::float,
       array_remove(array_agg(DISTINCT held.name), NULL)
FROM pg_prepared_xacts
LEFT JOIN pg_locks own ON own.pid IS NULL AND own.locktype = 'transactionid' AND own.transactionid = transaction
LEFT JOIN ({_HELD}) held ON held.pid IS NULL AND held.virtualtransaction = own.virtualtransaction
WHERE pg_prepared_xacts.database = current_database() GROUP BY 1, 2, 3 ORDER BY 3 DESC
"""
SLOTS = """
SELECT slot_name, active, coalesce(greatest(age(xmin), age(catalog_xmin)), 0)::bigint,
       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint
FROM pg_replication_slots WHERE database IS NULL OR database = current_database() ORDER BY 4 DESC
"""
STANDBYS = """
SELECT coalesce(application_name, ''), coalesce(age(backend_xmin), 0)::bigint FROM pg_stat_replication ORDER BY 2 DESC
"""


@dataclass(frozen=True, slots=True)
class Met:
    """One thing in the way. Statements are not read: they may hold personal data."""

    kind: Collision
    text: str
    is_in_the_way: bool = True  # False: it is there, and the plan does not touch what it holds

    def __str__(self) -> str:
        return self.text if self.is_in_the_way else f"{self.text} (not on a table of this plan)"

    def as_evidence(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {"kind": self.kind.value, "text": self.text, "is_in_the_way": self.is_in_the_way}


@dataclass(frozen=True, slots=True)
class Plan:
    """What of a plan decides whether something is in its way."""

    touches: frozenset[str]  # full names of relations; empty: not known, so anything may be one of them
    waits_for_all: bool  # CREATE INDEX CONCURRENTLY waits for every older snapshot of the database
    replica_seconds: float | None = None
    free_disk_bytes: float | None = None

    def meets(self, tables: Collection[str]) -> bool:
        """Return whether what somebody holds is in the plan's way."""
        return self.waits_for_all or bool(tables and (not self.touches or self.touches & set(tables)))


def collisions(opened: Session, plan: Plan) -> list[Met]:
    """Return what the plan would run into, what is in its way first. Nothing is waited for.

    A role without pg_read_all_stats is not told how old other roles' transactions are: `untold` names that.
    """
    met = [
        *_sessions(opened, plan),
        *_prepared(opened, plan),
        *_slots(opened),
        *_standbys(opened, plan),
    ]
    return sorted(met, key=lambda one: not one.is_in_the_way)


def untold(opened: Session) -> list[str]:
    """Return what the server does not tell this role, as sentences with what to do about it."""
    row = opened.execute("SELECT pg_has_role('pg_read_all_stats', 'USAGE')").fetchone()
    found = []
    if not (row and row[0]):
        found.append("How long other roles' transactions are open is not told: GRANT pg_read_all_stats to this role.")
    if not tells_disk(opened):
        found.append("Free disk on the server is not measured: PostgreSQL does not tell it.")
    return found


def _sessions(opened: Session, plan: Plan) -> Iterator[Met]:
    for pid, user, name, state, age, tables, changing, is_autovacuum, keeps_from_wraparound in opened.execute(SESSIONS):
        who = f"pid {pid} ({user or 'server'}, {name or 'unnamed'}, {state}) for {age:.0f} s"
        meets = plan.meets(tables)
        if is_autovacuum:  # any other one gives way by itself
            if keeps_from_wraparound:
                yield Met(Collision.WRAPAROUND_VACUUM, f"autovacuum against wraparound, {who}", meets)
        elif name.startswith("pg_dump"):
            yield Met(Collision.RUNNING_DUMP, f"pg_dump, {who}", meets)
        elif changing:
            yield Met(Collision.OTHER_CHANGE, f"{who} changes {_listed(changing)}", plan.meets(changing))
        elif age > LONG_SECONDS:
            yield Met(Collision.LONG_TRANSACTION, f"{who}, holding {_listed(tables) or 'no table'}", meets)


def _prepared(opened: Session, plan: Plan) -> Iterator[Met]:
    for gid, owner, age, tables in opened.execute(PREPARED).fetchmany(MOST):
        text = f'prepared transaction "{gid}" of {owner} for {age:.0f} s, holding {_listed(tables) or "no table"}'
        yield Met(Collision.PREPARED_TRANSACTION, text, plan.meets(tables))


def _slots(opened: Session) -> Iterator[Met]:
    for name, is_active, age, kept in opened.execute(SLOTS).fetchmany(MOST):
        who = f"replication slot {name}{'' if is_active else ', which nobody reads,'}"
        if age > OLD_SNAPSHOT_TRANSACTIONS:
            yield Met(Collision.OLD_SNAPSHOT, f"{who} keeps rows of {age:,} transactions ago from being removed")
        if kept > MUCH_WAL_BYTES:
            yield Met(Collision.WAL_KEPT, f"{who} keeps {kept / 2**30:,.1f} GiB of WAL")


def _standbys(opened: Session, plan: Plan) -> Iterator[Met]:
    for name, age in opened.execute(STANDBYS).fetchmany(MOST):
        if age > OLD_SNAPSHOT_TRANSACTIONS:
            text = f"standby {name or 'unnamed'} keeps rows of {age:,} transactions ago from being removed"
            yield Met(Collision.OLD_SNAPSHOT, text)
    server = look_at_server(opened, tells_disk=tells_disk(opened))
    for one in server.replicas:
        if plan.replica_seconds is not None and (one.seconds or 0) > plan.replica_seconds:
            yield Met(Collision.REPLICA_LAG, f"standby {one.name or 'unnamed'} is {one.seconds:.0f} s behind")
    free = server.free_disk_bytes
    if free is not None and plan.free_disk_bytes is not None and free < plan.free_disk_bytes:
        yield Met(Collision.LOW_DISK, f"the server has {free / 2**30:,.1f} GiB of disk free")


def _listed(tables: Collection[str]) -> str:
    names = sorted(tables)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""  # noqa: PLR2004 # as many as a line holds
    return ", ".join(names[:3]) + more
