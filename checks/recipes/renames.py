"""Renaming while applications of both names run: a view under the old name, or a second column kept equal."""

from __future__ import annotations

from checks.context import DEFAULT_VERSION
from checks.model import ConstraintKind, DataType, Relation
from checks.names import derived, qualified, quote, sibling

_SECURITY_INVOKER_SINCE = 15
_BATCH = 10_000


def table_behind_view(table: str, new: str, *, version: int = DEFAULT_VERSION) -> str:
    """Return SQL that renames a table and leaves a view under the old name. Names are SQL; `new` has no schema.

    Who reads and writes the old name goes on; COPY into it, TRUNCATE and foreign keys to it need the table's own name.
    """
    moved = sibling(table, new)
    return "\n".join(
        (
            f"{_TOGETHER} a view in its place.",
            f"ALTER TABLE {table} RENAME TO {new};",
            f"CREATE VIEW {table}{_options(version)} AS SELECT * FROM {moved};",  # noqa: S608 - a suggestion for a person to read
            _grants(table, moved, version),
        )
    )


def column_behind_view(table: str, old: str, new: str, *, version: int = DEFAULT_VERSION) -> str:
    """Return SQL that renames a column of a table and leaves a view in the table's place that has both names.

    Names are SQL. The table itself gets a name of its own, derived from the old one.
    """
    base = derived(table, "base")
    moved = sibling(table, base)
    return "\n".join(
        (
            f"{_TOGETHER} a column of a view in the table's place.",
            f"ALTER TABLE {table} RENAME TO {base};",
            f"ALTER TABLE {moved} RENAME COLUMN {old} TO {new};",
            f"CREATE VIEW {table}{_options(version)} AS SELECT *, {new} AS {old} FROM {moved};",  # noqa: S608 - the same
            _grants(table, moved, version),
        )
    )


def column_synced(table: str, old: str, new: str, relation: Relation | None) -> str:
    """Return SQL that puts a new column beside the old one and keeps them equal, in both directions.

    Names are SQL. `relation` is the table as it is known: it gives the type and the key. "" where the type of the
    column is not known. Dropping the old column is a migration of its own, after the last application that uses it.
    """
    column = relation.columns.get(_bare(old)) if relation else None
    if relation is None or column is None:
        return ""
    function, trigger = derived(table, "keep", _bare(new)), derived(table, "keep", _bare(new))
    placed = sibling(table, function)
    key = _key(relation)
    batch = f"{key} BETWEEN 1 AND {_BATCH} AND {new} IS DISTINCT FROM {old}" if key else f"{new} IS DISTINCT FROM {old}"
    often = f"in steps of {_BATCH} by {key}, each in a transaction of its own" if key else "in small steps by the key"
    return f"""\
-- 1. Expand: the new column, and a trigger that keeps both equal whoever writes.
ALTER TABLE {table} ADD COLUMN {new} {type_words(column.type)};
CREATE FUNCTION {placed}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.{new} IS NULL THEN NEW.{new} := NEW.{old}; ELSE NEW.{old} := NEW.{new}; END IF;
    ELSIF NEW.{new} IS DISTINCT FROM OLD.{new} THEN
        NEW.{old} := NEW.{new};
    ELSE
        NEW.{new} := NEW.{old};
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {table}
FOR EACH ROW EXECUTE FUNCTION {placed}();
-- 2. Migrate: {often}.
UPDATE {table} SET {new} = {old} WHERE {batch};
-- 3. Contract, in a migration of its own, when no application uses {old} any more:
-- DROP TRIGGER {trigger} ON {table}; DROP FUNCTION {placed}(); ALTER TABLE {table} DROP COLUMN {old};"""  # noqa: S608 - the same


def type_words(kind: DataType) -> str:
    """Return a type as SQL."""
    written = _WRITTEN.get(kind.name, kind.name)
    name = written if kind.is_built_in else qualified(kind.schema, kind.name)
    modifiers = f"({', '.join(str(one) for one in kind.modifiers)})" if kind.modifiers else ""
    return f"{name}{modifiers}{' ' + kind.fields if kind.fields else ''}{'[]' if kind.is_array else ''}"


# The names that people write. The type "char" is another than char.
_WRITTEN = {"int2": "smallint", "int4": "integer", "int8": "bigint", "bool": "boolean", "bpchar": "char",
            "float4": "real", "float8": "double precision", "char": '"char"'}  # fmt: skip

_TOGETHER = "-- In one transaction. The old name stays, as"


def _options(version: int) -> str:
    """Return what makes the view ask for the rights of who uses it, and row-level security with them."""
    return " WITH (security_invoker = true)" if version >= _SECURITY_INVOKER_SINCE else ""


def _grants(view: str, table: str, version: int) -> str:
    rows = "" if version >= _SECURITY_INVOKER_SINCE else " Row-level security does not reach through it."
    return f"-- Then GRANT on {view} what is granted on {table}: a view has no rights of the table.{rows}"


def _bare(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _key(relation: Relation) -> str:
    """Return the single whole-number column of the primary key as SQL, or ""."""
    keys = [one.columns for one in relation.constraints.values() if one.kind is ConstraintKind.PRIMARY_KEY]
    if len(keys) != 1 or len(keys[0]) != 1:
        return ""
    column = relation.columns.get(keys[0][0])
    return quote(column.name) if column and column.type.name in {"int2", "int4", "int8"} else ""
