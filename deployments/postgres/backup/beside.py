"""A schema of its own in a target, with copies of tables as a backup had them: made in one transaction, marked."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from psycopg import sql

from deployments.errors import DeploymentError
from deployments.postgres.backup.measure import measure_plainly
from deployments.postgres.connect import Session, Target, session
from deployments.postgres.stop import Stop

LOCK_TIMEOUT = "5s"  # for the lock on the catalogue's names that a new schema takes
COMMENT = "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s"
# A domain may check what was not checked then, a row type may have changed: of these there is the text, or the base.
COLUMNS = """
SELECT attname::text, format_type(coalesce(nullif(kind.typbasetype, 0), attribute.atttypid),
         CASE WHEN kind.typbasetype <> 0 THEN kind.typtypmod ELSE atttypmod END), kind.typtype::text,
       (SELECT array_agg(enumlabel::text) FROM pg_enum WHERE enumtypid = kind.oid), relkind::text
FROM pg_attribute attribute JOIN pg_type kind ON kind.oid = atttypid
JOIN pg_class relation ON relation.oid = attrelid JOIN pg_namespace namespace ON namespace.oid = relnamespace
WHERE nspname || '.' || relname = %s AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
# Whether a type is there now under that name, and as an enum with at least these labels.
KNOWS_TYPE = """
SELECT to_regtype(%(name)s) IS NOT NULL AND (%(labels)s::text[] IS NULL OR %(labels)s::text[] <@ (
    SELECT array_agg(enumlabel::text) FROM pg_enum WHERE enumtypid = to_regtype(%(name)s)))
"""


class SideSchemaTaken(DeploymentError):
    """There is a schema of the name that copies of tables would get, and it is not of this wish."""

    code = "side-schema-taken"

    def __init__(self, *, schema: str) -> None:
        super().__init__(
            f"There is a schema {schema} already, and not of this wish. Nothing was put into the database. "
            "Look at whose it is, rename or drop it, then ask again."
        )


class CopyDiffers(DeploymentError):
    """A copy does not hold what it was made of."""

    code = "copy-differs"

    def __init__(self, *, table: str) -> None:
        super().__init__(
            f"The copy of {table} does not hold the rows that were restored. It was taken back, and the database is as "
            "it was. Ask again; if it happens again, the types of the columns say otherwise what they hold."
        )


@dataclass(frozen=True, slots=True)
class SideTable:
    """One copy: of which table, where, how many rows; and which columns are text because their type is not there."""

    table: str
    name: str
    rows: int
    as_text: tuple[str, ...]

    def as_evidence(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "as_text": list(self.as_text)}


def side_comment(mark: str, tables: Sequence[SideTable]) -> str:
    """Return what the comment of the schema says: whose it is, and what is in it."""
    return json.dumps({"locktender": mark, "tables": [one.as_evidence() for one in tables]})


def found_side(opened: Session, side: str, *, mark: str) -> list[SideTable] | None:
    """Return what was put into a schema by the same wish before, None if it is not there. Raises SideSchemaTaken."""
    row = opened.execute(COMMENT, [side]).fetchone()
    if row is None:
        return None
    try:
        told = json.loads(row[0] or "")
        if told["locktender"] == mark:
            return [SideTable(**{**one, "as_text": tuple(one["as_text"])}) for one in told["tables"]]
    except (ValueError, KeyError, TypeError):
        pass
    raise SideSchemaTaken(schema=side)


def copied(
    source: Session,
    target: Target,
    tables: Sequence[str],
    side: str,
    *,
    mark: str,
    name: str,
    stop: Stop,
    meanwhile: Callable[[], None],
) -> list[SideTable]:
    """Copy tables from a session's database into a new schema of the target, all or none, and return the copies.

    Plain tables: columns and rows, without keys, indexes, defaults, triggers and rights. Each is counted and hashed on
    both sides. Raises SideSchemaTaken, CopyDiffers, what opening a session and `stop` raise, psycopg.Error.
    """
    with session(target, name=name) as opened:
        measure_plainly(opened)
        opened.execute("SELECT set_config('statement_timeout', '0', false), set_config('lock_timeout', %s, false),"
                       " set_config('default_transaction_read_only', 'off', false)", [LOCK_TIMEOUT])  # fmt: skip
        with opened.transaction():
            if opened.execute(COMMENT, [side]).fetchone() is not None:
                raise SideSchemaTaken(schema=side)
            opened.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(side)))
            plain = {table: table.partition(".")[2] for table in tables}
            names = {table: one if list(plain.values()).count(one) == 1 else table for table, one in plain.items()}
            made = [
                _copy(source, opened, table, (side, names[table]), stop=stop, meanwhile=meanwhile) for table in tables
            ]
            opened.execute(
                sql.SQL("COMMENT ON SCHEMA {} IS {}").format(
                    sql.Identifier(side), sql.Literal(side_comment(mark, made))
                )
            )
    return made


def _copy(
    source: Session,
    opened: Session,
    table: str,
    place: tuple[str, str],
    *,
    stop: Stop,
    meanwhile: Callable[[], None],
) -> SideTable:
    columns, as_text, only = [], [], ""
    for column, kind, sort, labels, relation in source.execute(COLUMNS, [table]).fetchall():
        known = sort != "c" and opened.execute(KNOWS_TYPE, {"name": kind, "labels": labels}).fetchone() == (True,)
        if not known:
            as_text.append(column)
        columns.append((column, kind if known else "text"))
        only = "ONLY " if relation == "r" else ""  # of what inherits from it nothing was asked for
    there = sql.Identifier(*place)
    shown = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(one), sql.SQL(kind)) for one, kind in columns)
    opened.execute(sql.SQL("CREATE TABLE {} ({})").format(there, shown))
    schema, _, bare = table.partition(".")
    names = sql.SQL(", ").join(sql.Identifier(one) for one, _ in columns)
    rows = sql.SQL("SELECT {} FROM {}{}").format(names, sql.SQL(only), sql.Identifier(schema, bare))
    if columns:
        into = sql.SQL("COPY {} ({}) FROM STDIN").format(there, names)
        with (
            source.cursor().copy(sql.SQL("COPY ({}) TO STDOUT").format(rows)) as out,
            opened.cursor().copy(into) as put,
        ):
            for part in out:
                stop.require_may_start()
                put.write(part)
                meanwhile()
    count = sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM ({}) t")
    before = source.execute(count.format(rows)).fetchone()
    after = opened.execute(count.format(sql.SQL("SELECT * FROM {}").format(there))).fetchone()
    if before != after or after is None:
        raise CopyDiffers(table=table)
    return SideTable(table, ".".join(place), int(after[0]), tuple(as_text))
