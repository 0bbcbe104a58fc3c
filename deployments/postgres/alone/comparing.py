"""Whether an index that is there is the one a statement asks for."""

from dataclasses import replace

import psycopg
from psycopg import sql

from checks.outside import IndexBuilt, IndexDefinition, definition_in, differences
from deployments.postgres.connect import Session

_PROBE = "locktender_probe"
_SHOWN = """
SELECT pg_get_indexdef(indexrelid), spcname::text FROM pg_index JOIN pg_class class ON class.oid = indexrelid
LEFT JOIN pg_tablespace space ON space.oid = reltablespace WHERE indexrelid = %s
"""


def differences_of(opened: Session, aim: IndexBuilt, oid: int) -> tuple[str, ...]:
    """Return in words where the index of this oid is another than the one asked for; () when it is the same.

    Texts that are equal mean the same. Texts that are not may do so too: 'open' is shown as 'open'::text, and a default
    operator class not at all. So the server is asked how it would show what the statement asks for.
    """
    row = opened.execute(_SHOWN, [oid]).fetchone()
    if row is None:
        return ("it is gone again",)
    found = definition_in(row[0])
    if found is None:
        return (f"it is shown as {row[0]}, which cannot be read",)
    found = replace(found, tablespace=row[1])  # which pg_get_indexdef leaves out
    wanted = aim.definition
    told = differences(wanted, found)
    if not told or not wanted.can_be_written:
        return told
    shown = _as_shown(opened, aim)
    if shown is None:
        return told
    return differences(shown, found)


def _as_shown(opened: Session, aim: IndexBuilt) -> IndexDefinition | None:
    """Return what a statement asks for as the server shows it: made on an empty copy of the table, and rolled back.

    None where that cannot be had, for example because the role may make no temporary tables.
    """
    index, wanted = aim.index, aim.definition
    table = sql.Identifier(*(part for part in (index.schema, index.table) if part))
    probe = sql.Identifier("pg_temp", _PROBE)
    try:
        with opened.transaction(force_rollback=True):
            opened.execute("SELECT set_config('lock_timeout', '500ms', true)")
            opened.execute(sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {})").format(probe, table))
            opened.execute(wanted.as_sql(probe.as_string(opened)).encode())
            row = opened.execute(
                "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = to_regclass(%s)",
                [probe.as_string(opened)],
            ).fetchone()
    except psycopg.errors.LockNotAvailable:
        raise  # asked again later: only who cannot know says so
    except psycopg.Error:
        if opened.broken or opened.closed:
            raise
        return None
    shown = definition_in(row[0]) if row else None
    if shown is None:
        return None
    return replace(shown, options=wanted.options, tablespace=wanted.tablespace)
