"""Which tables of a target lose data by what scripts destroy, and how big they are."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import psycopg

from checks.losses import Losses, Reach
from checks.names import parts, unqualified
from deployments.postgres.backup.measure import Table
from deployments.postgres.connect import Session, Target
from deployments.postgres.privileges import become_owner

TABLE_KINDS = ("r", "p", "S")  # what pg_dump takes data of: views and foreign tables have theirs elsewhere

RELATIONS = """
SELECT relation.oid, namespace.nspname, relation.relname, relation.relkind::text
FROM pg_class relation JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace
WHERE relation.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND namespace.nspname !~ '^(pg_|information_schema$)'
"""
CHILDREN = "SELECT inhparent, inhrelid FROM pg_inherits"
# confrelid is the table that is referred to; the action is "c" for CASCADE, "n" and "d" for SET NULL and SET DEFAULT.
FOREIGN_KEYS = "SELECT confrelid, conrelid, confdeltype::text, confupdtype::text FROM pg_constraint WHERE contype = 'f'"


@dataclass(frozen=True, slots=True)
class Follower:
    """A table that refers to another, and what its foreign key does when a row there is deleted or its key changed."""

    oid: int
    on_delete: str
    on_update: str

    def loses(self, reach: Reach) -> Reach | None:
        """Return how this table loses data when the other does, None if it does not."""
        if reach is Reach.REFERENCES:
            return reach
        if reach is Reach.DELETES and self.on_delete == "c":
            return reach
        acts = {Reach.DELETES: self.on_delete, Reach.UPDATES: self.on_update}.get(reach, "")
        return Reach.UPDATES if acts in {"c", "n", "d"} else None


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What of the target is destroyed. `elsewhere` are views and foreign tables, whose rows pg_dump cannot take."""

    tables: list[Table]
    bytes: int | None  # of the rows, without indexes; None if a lock was in the way of the question
    elsewhere: list[str]


def find_destroyed(opened: Session, target: Target, losses: Losses) -> Destroyed:
    """Return the tables there that lose data, with everything their loss takes along.

    Names without a schema are looked up as the scripts' own session would find them.
    """
    with opened.transaction(force_rollback=True):
        opened.execute("SET TRANSACTION READ ONLY")
        become_owner(opened, target)
        relations = {
            oid: (Table(oid, schema, name), kind) for oid, schema, name, kind in opened.execute(RELATIONS).fetchall()
        }
        path = opened.execute("SELECT current_schemas(false)").fetchone()
        begun = set(named([table for table, _ in relations.values()], losses, path=path[0] if path else []))
        children: dict[int, list[int]] = defaultdict(list)
        followers: dict[int, list[Follower]] = defaultdict(list)
        for parent, child in opened.execute(CHILDREN).fetchall():
            children[parent].append(child)
        for referred, *follower in opened.execute(FOREIGN_KEYS).fetchall():
            followers[referred].append(Follower(*follower))
        found = [relations[oid] for oid in sorted(reached(begun, children, followers)) if oid in relations]
        tables = [table for table, kind in found if kind in TABLE_KINDS]
        elsewhere = [f"{table.schema}.{table.name}" for table, kind in found if kind not in TABLE_KINDS]
        return Destroyed(tables, _bytes(opened, tables), elsewhere)


def reached(
    begun: Iterable[tuple[int, Reach]],
    children: Mapping[int, Iterable[int]],
    followers: Mapping[int, Iterable[Follower]],
) -> set[int]:
    """Return all tables that lose data, given where it begins: with their partitions, children and followers."""
    seen: set[tuple[int, Reach]] = set()
    waiting = list(begun)
    while waiting:
        oid, reach = one = waiting.pop()
        if one in seen:
            continue
        seen.add(one)
        waiting += [(child, reach) for child in children.get(oid, ())]
        waiting += [(other.oid, also) for other in followers.get(oid, ()) if (also := other.loses(reach)) is not None]
    return {oid for oid, _ in seen}


def named(tables: Sequence[Table], losses: Losses, *, path: Sequence[str]) -> Iterable[tuple[int, Reach]]:
    """Yield what the scripts name, as far as it is there. `path` are the schemas in which a bare name is looked for."""
    schemas = {unqualified(schema) for schema in losses.schemas}
    yield from ((table.oid, Reach.ALONE) for table in tables if table.schema in schemas)
    places = {(table.schema, table.name): table.oid for table in tables}
    for loss in losses.tables:
        *_, schema, name = ("", *map(unqualified, parts(loss.table)))
        if loss.anywhere:
            found = [table.oid for table in tables if table.name == name]
        else:
            found = [places[one, name] for one in ([schema] if schema else path) if (one, name) in places][:1]
        yield from ((oid, loss.reach) for oid in found)


def _bytes(opened: Session, tables: Iterable[Table]) -> int | None:
    try:
        with opened.transaction():
            row = opened.execute(
                "SELECT sum(pg_table_size(oid)) FROM unnest(%s::oid[]) oid", [[table.oid for table in tables]]
            ).fetchone()
    except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled):
        return None
    return int(row[0] or 0) if row else 0
