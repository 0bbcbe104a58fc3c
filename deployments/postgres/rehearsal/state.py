"""Reading a copy at one moment: its schema, its rows as counts and hashes, its sequences, the shape of its tables."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql

from checks.rehearsal.declared import Declared, Key, declared
from checks.rehearsal.rows import UNFILLED, Content, Position, Rows
from checks.rehearsal.structure import Column, Constraint, Table
from checks.schema import Snapshot
from deployments.postgres.connect import Session
from deployments.postgres.settings import PLAIN_TEXT
from deployments.postgres.snapshots import OWN, read_snapshot
from deployments.postgres.snapshots.scope import no_member
from deployments.postgres.transactional import is_lost

SETTINGS = """
SELECT pg_catalog.set_config('search_path', 'pg_catalog', true), pg_catalog.set_config('row_security', 'off', true),
  pg_catalog.set_config('lock_timeout', '10s', true), pg_catalog.set_config('statement_timeout', '30min', true)
"""
PATH = "SELECT pg_catalog.current_schemas(false)"
HOLDING = f"""
SELECT namespace.nspname, relation.relname, relation.relispopulated,
  ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped
        ORDER BY attname),
  ARRAY(SELECT attname::text FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)
        WHERE indrelid = relation.oid AND indisprimary ORDER BY attname)
FROM pg_class relation JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace
WHERE relation.relkind IN ('r', 'm') AND relation.relpersistence <> 't' AND {OWN}
  AND {no_member("pg_class", "relation.oid")}
"""
POSITIONS = f"""
SELECT namespace.nspname, relation.relname, pg_sequence_last_value(relation.oid), seqincrement
FROM pg_sequence JOIN pg_class relation ON relation.oid = seqrelid
JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace
WHERE relation.relpersistence <> 't' AND {OWN} AND {no_member("pg_class", "relation.oid")}
"""
TYPES = f"""
SELECT namespace.nspname, typname FROM pg_type JOIN pg_namespace namespace ON namespace.oid = typnamespace
WHERE typtype = 'e' AND {OWN}
"""
TABLES = f"""
SELECT relation.oid, namespace.nspname, relation.relname FROM pg_class relation
JOIN pg_namespace namespace ON namespace.oid = relation.relnamespace
WHERE relation.relkind IN ('r', 'p') AND relation.relpersistence <> 't' AND NOT relation.relispartition AND {OWN}
  AND {no_member("pg_class", "relation.oid")}
"""
COLUMNS = """
SELECT attrelid, attnum, attname, format_type(atttypid, atttypmod), NOT attnotnull, atthasdef, attidentity,
  attgenerated, ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = atttypid ORDER BY enumsortorder)
FROM pg_attribute WHERE attrelid = ANY(%s::oid[]) AND attnum > 0 AND NOT attisdropped ORDER BY attrelid, attnum
"""
CONSTRAINTS = """
SELECT conrelid, conname, contype, regexp_replace(pg_get_constraintdef(oid), ' NOT VALID$', ''),
  ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY(conkey) ORDER BY attnum)
FROM pg_constraint WHERE conrelid = ANY(%s::oid[]) AND contype IN ('c', 'f', 'p', 'u', 'x')
"""
UNIQUE = """
SELECT indrelid, ARRAY(SELECT coalesce(attname::text, '') FROM unnest(indkey[0:indnkeyatts - 1]) number
    LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = number ORDER BY attname)
FROM pg_index WHERE indrelid = ANY(%s::oid[]) AND indisunique AND indpred IS NULL
"""
APART = """
SELECT DISTINCT indrelid, attname::text FROM pg_index
JOIN pg_depend ON classid = 'pg_class'::regclass AND objid = indexrelid AND refobjid = indrelid AND refobjsubid > 0
JOIN pg_attribute ON attrelid = indrelid AND attnum = refobjsubid WHERE indrelid = ANY(%s::oid[]) AND indisunique
"""


@dataclass(frozen=True, slots=True)
class State:
    """A copy at one moment. `columns` are those of every table that holds rows, `keys` its primary key's."""

    schema: Snapshot
    content: Content
    columns: Mapping[Key, tuple[str, ...]]
    keys: Mapping[Key, tuple[str, ...]]


@contextmanager
def reading(opened: Session) -> Iterator[Session]:
    """Hold one moment of a database in a transaction that only reads, with values written as everywhere else."""
    with opened.transaction(force_rollback=True):
        opened.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        opened.execute(PLAIN_TEXT)
        opened.execute(SETTINGS)
        yield opened


def meant(opened: Session, names: Collection[str]) -> Declared:
    """Return what names of a script mean in a database, as its own session would find them."""
    path = opened.execute(PATH).fetchone()
    with reading(opened):
        holding = {(schema, name): columns for schema, name, _, columns, _ in opened.execute(HOLDING).fetchall()}
        types = set(map(tuple, opened.execute(TYPES).fetchall()))
    return declared(names, holding, types, path=path[0] if path else [])


def read_state(opened: Session, *, may_go: Declared, like: State | None = None) -> State:
    """Return what a database is now.

    Rows are counted and hashed without the columns that `may_go`. `like` is the state to compare with: where a table
    has other columns than there, its rows are not hashed, because its schema differs already.
    """
    with reading(opened):
        rows: dict[Key, Rows] = {}
        columns: dict[Key, tuple[str, ...]] = {}
        keys: dict[Key, tuple[str, ...]] = {}
        for schema, name, is_populated, every, key in opened.execute(HOLDING).fetchall():
            place = (schema, name)
            columns[place], keys[place] = tuple(every), tuple(key)
            if place in may_go.tables or (like and like.columns.get(place) != tuple(every)):
                continue
            kept = tuple(one for one in every if one not in may_go.columns_of(place))
            rows[place] = _rows(opened, place, kept) if is_populated else Rows(0, UNFILLED, kept)
        positions = {
            (schema, name): Position(value, increment)
            for schema, name, value, increment in opened.execute(POSITIONS).fetchall()
        }
        return State(read_snapshot(opened), Content(rows, positions), columns, keys)


def read_structure(opened: Session) -> tuple[Table, ...]:
    """Return the tables as far as rows are derived from them; of a partitioned one, the whole and not its parts."""
    with reading(opened):
        found = {oid: (schema, name) for oid, schema, name in opened.execute(TABLES).fetchall()}
        oids = [list(found)]
        columns: dict[int, list[Column]] = {oid: [] for oid in found}
        for oid, number, name, kind, *facts, labels in opened.execute(COLUMNS, oids).fetchall():
            is_nullable, has_default, identity, generated = facts
            columns[oid].append(
                Column(number, name, kind, is_nullable, has_default, identity, generated, tuple(labels))
            )
        constraints: dict[int, list[Constraint]] = {oid: [] for oid in found}
        for oid, name, kind, definition, names in opened.execute(CONSTRAINTS, oids).fetchall():
            constraints[oid].append(Constraint(name, kind, definition, tuple(names)))
        unique: dict[int, set[tuple[str, ...]]] = {oid: set() for oid in found}
        for oid, names in opened.execute(UNIQUE, oids).fetchall():
            unique[oid].add(tuple(names))
        apart: dict[int, set[str]] = {oid: set() for oid in found}
        for oid, name in opened.execute(APART, oids).fetchall():
            apart[oid].add(name)
        for oid, one in unique.items():  # that of a constraint depends on the constraint, not on its columns
            apart[oid].update(name for names in one for name in names if name)
    return tuple(
        Table(oid, key, tuple(columns[oid]), tuple(constraints[oid]), frozenset(unique[oid]), frozenset(apart[oid]))
        for oid, key in found.items()
    )


def row_of(columns: Collection[str]) -> sql.Composable:
    """Return the text of a row made of these columns, in this order."""
    return sql.SQL("ROW({})::text").format(sql.SQL(", ").join(map(sql.Identifier, columns)))


def _rows(opened: Session, place: Key, columns: tuple[str, ...]) -> Rows:
    query = sql.SQL('SELECT count(*), coalesce(sum(hashtextextended({} COLLATE "C", 0)), 0)::text FROM ONLY {}').format(
        row_of(columns), sql.Identifier(*place)
    )
    try:
        with opened.transaction():
            row = opened.execute(query).fetchone()
    except psycopg.Error as refused:
        if is_lost(opened, refused):
            raise
        return Rows(columns=columns, why=f"they cannot be read (SQLSTATE {refused.sqlstate})")
    return Rows(row[0], row[1], columns) if row else Rows()
