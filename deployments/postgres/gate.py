"""The gate: an event trigger in a target that refuses changes of the schema by anybody but Locktender and superusers.

Only a superuser can make or drop one, so its SQL is printed and never run by us. Nobody but a superuser may own its
function: what is in it runs with the rights of whoever changes something, also of a superuser.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import sql

from deployments.postgres.connect import Session

STATE = """
SELECT evtname::text, evtenabled::text, (SELECT rolsuper FROM pg_catalog.pg_roles WHERE oid = evtowner)
FROM pg_catalog.pg_event_trigger WHERE evtname IN ('locktender_gate', 'locktender_gate_drops') ORDER BY 1
"""
TRIGGERS = 2
# What comes and goes with a session is no part of the schema, and neither is what a view was last filled with.
BODY = """\
-- Run this as a superuser, in the database {database}.
BEGIN;
CREATE FUNCTION locktender.gate() RETURNS event_trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $locktender_gate$
DECLARE
    refused text;
BEGIN
    IF session_user = ANY (ARRAY[{roles}]::name[])
       OR (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) THEN
        RETURN;
    END IF;
    IF tg_event = 'sql_drop' THEN
        SELECT concat_ws(' ', object_type, object_identity) INTO refused
        FROM pg_event_trigger_dropped_objects() WHERE original AND NOT is_temporary LIMIT 1;
    ELSIF tg_tag NOT IN ('REFRESH MATERIALIZED VIEW', 'REINDEX') THEN
        SELECT concat_ws(' ', object_type, object_identity) INTO refused
        FROM pg_event_trigger_ddl_commands() WHERE schema_name IS DISTINCT FROM 'pg_temp' LIMIT 1;
    END IF;
    IF refused IS NOT NULL THEN
        RAISE EXCEPTION '% of % is refused here: the schema of this database is changed by Locktender alone',
            tg_tag, refused
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Write it as a migration. Only a superuser can take the gate away.';
    END IF;
END $locktender_gate$;
CREATE EVENT TRIGGER locktender_gate ON ddl_command_end EXECUTE FUNCTION locktender.gate();
CREATE EVENT TRIGGER locktender_gate_drops ON sql_drop EXECUTE FUNCTION locktender.gate();
ALTER EVENT TRIGGER locktender_gate ENABLE ALWAYS;
ALTER EVENT TRIGGER locktender_gate_drops ENABLE ALWAYS;
COMMIT;
"""
REMOVAL = """\
-- Run this as a superuser, in the database {database}.
BEGIN;
DROP EVENT TRIGGER IF EXISTS locktender_gate;
DROP EVENT TRIGGER IF EXISTS locktender_gate_drops;
DROP FUNCTION IF EXISTS locktender.gate();
COMMIT;
"""


@dataclass(frozen=True, slots=True)
class GateState:
    """Whether the gate is there, and shut for everybody it is meant for."""

    is_there: bool = False
    is_shut: bool = False  # both triggers are there and enabled, and a superuser owns them


def gate_sql(*, database: str, roles: Sequence[str]) -> str:
    """Return the SQL that makes the gate.

    `database` is quoted as SQL. `roles` are those that sign in and may change the schema, besides superusers.
    """
    names = sql.SQL(", ").join(sql.Literal(one) for one in roles).as_string(None)
    return BODY.format(database=database, roles=names)


def removal_sql(*, database: str) -> str:
    """Return the SQL that takes the gate away; it does nothing where there is none."""
    return REMOVAL.format(database=database)


def gate_state(opened: Session) -> GateState:
    """Return how the gate of a session's database stands."""
    found = opened.execute(STATE).fetchall()
    shut = [name for name, enabled, by_superuser in found if enabled in "OA" and by_superuser]
    return GateState(is_there=bool(found), is_shut=len(shut) == TRIGGERS)
