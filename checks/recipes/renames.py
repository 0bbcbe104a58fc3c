"""Renaming while applications of both names run: a view under the old name, or a second column kept equal."""

from __future__ import annotations

from checks.alterations.type_words import type_words
from checks.batching.keys import directive, keys_of
from checks.context import DEFAULT_VERSION
from checks.model import Relation
from checks.names import derived, sibling

_SECURITY_INVOKER_SINCE = 15


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
    keys = keys_of(relation)
    often = "in batches, each in a transaction of its own" if keys else "in small steps: no key is known to go by"
    comment = f"{directive(table, keys[0])}\n" if keys else ""
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
{comment}UPDATE {table} SET {new} = {old} WHERE {new} IS DISTINCT FROM {old};
-- 3. Contract, in a migration of its own, when no application uses {old} any more:
-- DROP TRIGGER {trigger} ON {table}; DROP FUNCTION {placed}(); ALTER TABLE {table} DROP COLUMN {old};"""  # noqa: S608 - the same


_TOGETHER = "-- In one transaction. The old name stays, as"


def _options(version: int) -> str:
    """Return what makes the view ask for the rights of who uses it, and row-level security with them."""
    return " WITH (security_invoker = true)" if version >= _SECURITY_INVOKER_SINCE else ""


def _grants(view: str, table: str, version: int) -> str:
    rows = "" if version >= _SECURITY_INVOKER_SINCE else " Row-level security does not reach through it."
    return f"-- Then GRANT on {view} what is granted on {table}: a view has no rights of the table.{rows}"


def _bare(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
