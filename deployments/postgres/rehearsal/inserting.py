"""Putting the rows that only a new schema allows into a copy, and looking what a way back makes of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from checks.names import qualified
from checks.rehearsal.declared import Declared, Key
from checks.rehearsal.newcomers import Newcomer, Underivable
from checks.rehearsal.rows import shown
from checks.rehearsal.structure import Column, Table
from deployments.postgres.connect import Session, Target
from deployments.postgres.privileges import become_owner
from deployments.postgres.rehearsal.sending import reason
from deployments.postgres.rehearsal.state import reading
from deployments.postgres.settings import PLAIN_TEXT

# Values that look like nothing else, by what the name of a type begins with. {n} is a number that grows.
FRESH = {
    "smallint": "least({most} + 1, 32767)", "integer": "least({most}::bigint + 1, 2147483647)", "bigint": "{most} + 1",
    "numeric": "{most} + 1", "real": "{most} + 1", "double precision": "{most} + 1", "uuid": "gen_random_uuid()",
    "text": "'locktender ' || {n}", "character varying": "left(md5('{n}'), {length})",
    "character": "left(md5('{n}'), {length})", "timestamp": "now() + interval '{n} s'", "date": "current_date + {n}",
    "citext": "'locktender ' || {n}", "bytea": "'\\x{n:08x}'", "inet": "'127.0.0.1'::inet + {n}",
}  # fmt: skip
PLAIN = {
    "smallint": "1", "integer": "1", "bigint": "1", "numeric": "1", "real": "1", "double precision": "1",
    "boolean": "false", "text": "'x'", "character": "'x'", "citext": "'x'", "uuid": "gen_random_uuid()",
    "timestamp": "now()", "date": "current_date", "time": "localtime", "interval": "interval '0'", "json": "'{}'",
    "bytea": "''", "inet": "'127.0.0.1'", "xml": "''",
}  # fmt: skip
DANGLING = {"smallint": "32767", "integer": "2147483647", "bigint": "9223372036854775807", "uuid": "gen_random_uuid()"}
# Tried one after the other, until one does not fulfil a condition.
CANDIDATES = (
    "-1", "0", "1", "2147483647", "-2147483648", "''", "' '", "'locktender'", "repeat('x', 300)", "false", "true",
    "'-infinity'", "'infinity'", "'1900-01-01'", "'2999-12-31'", "'{}'", "'[]'", "32767", "0.001", "-0.001",
)  # fmt: skip
NUMBER = 900_000_000  # far from the numbers that a table has


Names = Mapping[Key, tuple[Key, Mapping[str, str]]]
"""What a table is called elsewhere, and each of its columns: those that are not there are left out."""


@dataclass(slots=True)
class Inserted:
    """A row that was put in, with its values as text by the names of the columns there, and what became of it."""

    newcomer: Newcomer
    values: Mapping[str, str | None]
    is_kept: bool = False


@dataclass(slots=True)
class Newcomers:
    """The rows of one copy. `refused` are those that could not be made or that even the new schema refused."""

    target: Target
    after: Sequence[Table]
    inserted: list[Inserted] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _number: int = NUMBER

    def insert(self, opened: Session, wanted: Iterable[Newcomer | Underivable]) -> None:
        """Put in what can be: a row that refers to another which comes later is tried once more at the end."""
        become_owner(opened, self.target)
        again: list[Newcomer] = []
        for one in wanted:
            if isinstance(one, Underivable):
                self.refused.append(f"{one.why}: no row could be derived")
            elif self._insert(opened, one):
                again.append(one)
        for one in again:
            if why := self._insert(opened, one):
                self.refused.append(f"{one.what}: {why}")
        opened.execute("RESET ROLE")

    def look(self, opened: Session, names: Names, may_go: Declared) -> None:
        """Mark the rows that are in the tables which `names` tells."""
        for one in self.changed:
            if found := names.get(one.newcomer.table):
                table, columns = found
                kept = {columns[name]: value for name, value in one.values.items() if name in columns}
                free = may_go.columns_of(table)
                one.is_kept = is_there(opened, table, {name: kept[name] for name in kept if name not in free})

    @property
    def changed(self) -> list[Inserted]:
        """The rows that were not found as they were put in."""
        return [one for one in self.inserted if not one.is_kept]

    def lost(self, names: Names, may_go: Declared) -> list[str]:
        """Return a sentence for each row that did not survive and is not declared irreversible."""
        found = []
        for one in self.changed:
            table, columns = names.get(one.newcomer.table, (one.newcomer.table, {}))
            column = columns.get(one.newcomer.column, "")
            if not may_go.covers(table, column):
                name = f"{shown(table)}.{qualified(column)}" if column else shown(table)
                found.append(
                    f"{one.newcomer.what}: the way back does not keep it; "
                    f"name it with -- locktender: irreversible {name}"
                )
        return found

    def _insert(self, opened: Session, one: Newcomer) -> str:
        """Return "" if the row is in, else why not."""
        table = next(table for table in self.after if table.key == one.table)
        self._number += 1
        try:
            with opened.transaction():
                opened.execute(PLAIN_TEXT)
                values = self._values(opened, table, one)
                row = _write(opened, table, values)
        except psycopg.Error as refused:
            return reason(refused)
        if row is None:
            return "no row could be derived"
        self.inserted.append(Inserted(one, row))
        return ""

    def _values(self, opened: Session, table: Table, one: Newcomer) -> dict[str, sql.Composable]:
        """Return an SQL expression for each column; one that is left to its default has none."""
        pattern = opened.execute(_from("TRUE", table) + sql.SQL(" LIMIT 1")).fetchone() is not None
        single = table.apart - set(one.double)
        referring = {name for con in table.constraints if con.kind == "f" for name in con.columns}
        values: dict[str, sql.Composable] = {}
        for column in table.columns:
            name = column.name
            if column.generated:
                continue
            if name == one.column and one.value:
                values[name] = sql.SQL(one.value)
            elif name in single and name not in referring:
                # Not its default: the sequence of a clone may stand behind its table.
                if (fresh := self._fresh(table, column)) is not None:
                    values[name] = fresh
                elif not column.has_default:
                    values[name] = sql.Identifier(name)
            elif pattern:
                values[name] = sql.Identifier(name)
            elif not column.is_nullable and not column.has_default and not column.identity:
                values[name] = _plain(column)
        if one.check:
            values |= self._against(opened, table, one, values)
        return values

    def _fresh(self, table: Table, column: Column) -> sql.Composable | None:
        kind = next((kind for kind in FRESH if column.type.startswith(kind)), None)
        if kind is None:
            return None
        most = sql.SQL("coalesce((SELECT max({0}) FROM {1}), 0)").format(
            sql.Identifier(column.name), sql.Identifier(*table.key)
        )
        length = "".join(filter(str.isdigit, column.type)) or "32"
        text = FRESH[kind].replace("{n:08x}", f"{self._number:08x}").replace("{n}", str(self._number))
        return sql.SQL(text.replace("{length}", length)).format(most=most)

    def _against(
        self, opened: Session, table: Table, one: Newcomer, values: Mapping[str, sql.Composable]
    ) -> dict[str, sql.Composable]:
        """Return values of the columns of a dropped constraint that do not fulfil it."""
        columns = {column.name: column for column in table.columns}
        if one.check.startswith("FOREIGN KEY"):
            kinds = ((name, DANGLING.get(columns[name].type)) for name in one.columns)
            dangling = ((name, sql.SQL(value) if value else self._fresh(table, columns[name])) for name, value in kinds)
            return {name: value for name, value in dangling if value is not None}
        condition = one.check.removeprefix("CHECK ").removesuffix(" NO INHERIT")
        for name in one.columns:
            for candidate in CANDIDATES:
                value = sql.SQL("{}::{}").format(sql.SQL(f"({candidate})"), sql.SQL(columns[name].type))
                if _is_against(opened, table, condition, dict(values) | {name: value}):
                    return {name: value}
        return {}


def old_names(before: Iterable[Table], after: Iterable[Table]) -> Names:
    """Return what tables and columns were called before."""
    old = {one.oid: one for one in before}
    return {
        now.key: (was.key, {one.name: earlier.name for one in now.columns if (earlier := was.column(one.number))})
        for now in after
        if (was := old.get(now.oid)) is not None
    }


def same_names(tables: Iterable[Table]) -> Names:
    """Return the names that tables and columns have."""
    return {one.key: (one.key, {column.name: column.name for column in one.columns}) for one in tables}


def is_there(opened: Session, table: Key, values: Mapping[str, str | None]) -> bool:
    """Return whether a table has a row with these values, compared as text."""
    conditions: list[sql.Composable] = [
        sql.SQL("{}::text IS NOT DISTINCT FROM {}").format(sql.Identifier(name), value)
        for name, value in values.items()
    ]
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(
        sql.Identifier(*table), sql.SQL(" AND ").join(conditions or [sql.SQL("true")])
    )
    with reading(opened):
        row = opened.execute(query).fetchone()
    return bool(row and row[0])


def _write(opened: Session, table: Table, values: Mapping[str, sql.Composable]) -> dict[str, str | None] | None:
    names = [column.name for column in table.columns]
    told = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names)
    if values:
        query = sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE {} RETURNING {}").format(
            sql.Identifier(*table.key),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            _select(opened, table, values),
            told,
        )
    else:
        query = sql.SQL("INSERT INTO {} DEFAULT VALUES RETURNING {}").format(sql.Identifier(*table.key), told)
    row = opened.execute(query).fetchone()
    return dict(zip(names, row, strict=True)) if row else None


def _select(opened: Session, table: Table, values: Mapping[str, sql.Composable]) -> sql.Composable:
    chosen = sql.SQL("SELECT {}").format(sql.SQL(", ").join(values.values()))
    if opened.execute(_from("TRUE", table) + sql.SQL(" LIMIT 1")).fetchone() is None:
        return chosen
    return chosen + sql.SQL(" FROM {} LIMIT 1").format(sql.Identifier(*table.key))


def _from(what: str, table: Table) -> sql.Composed:
    return sql.SQL("SELECT {} FROM {}").format(sql.SQL(what), sql.Identifier(*table.key))


def _is_against(opened: Session, table: Table, condition: str, values: Mapping[str, sql.Composable]) -> bool:
    row = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(
            sql.SQL("({})::{}").format(values.get(column.name, sql.SQL("NULL")), sql.SQL(column.type)),
            sql.Identifier(column.name),
        )
        for column in table.columns
    )
    source = _select(opened, table, {"": row})
    query = sql.SQL("SELECT NOT ({}) FROM ({}) AS {}").format(sql.SQL(condition), source, sql.Identifier(table.key[1]))
    try:
        with opened.transaction(force_rollback=True):
            found = opened.execute(query).fetchone()
    except psycopg.Error:
        return False  # a value that is none of this type
    return bool(found and found[0])


def _plain(column: Column) -> sql.Composable:
    if column.labels:
        return sql.Literal(column.labels[0])
    if column.type.endswith("[]"):
        return sql.SQL("'{}'")
    return sql.SQL(next((value for kind, value in PLAIN.items() if column.type.startswith(kind)), "NULL"))
