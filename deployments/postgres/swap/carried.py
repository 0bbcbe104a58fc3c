"""What a restored database under the old name does not have, named before anybody decides."""

from collections.abc import Sequence

import psycopg

from deployments.postgres.backup.gate_left_out import SUPERUSER
from deployments.postgres.backup.properties import Properties, read_properties
from deployments.postgres.connect import Session
from deployments.postgres.gate import gate_state

ALWAYS = (
    "Cumulative statistics begin anew, and prepared plans of the application are made again.",
    "Whoever knows the database by its number and not by its name still means the old one.",
)
SLOTS = """
SELECT slot_name::text, plugin::text, active FROM pg_catalog.pg_replication_slots
WHERE database = pg_catalog.current_database() ORDER BY 1
"""
# Everybody may read these columns; the one with the connection only superusers.
SUBSCRIPTIONS = """
SELECT subname::text, subenabled FROM pg_catalog.pg_subscription
WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) ORDER BY 1
"""
PUBLICATIONS = "SELECT pubname::text FROM pg_catalog.pg_publication ORDER BY 1"
EXTENSIONS = """
SELECT extname::text FROM pg_catalog.pg_extension WHERE extname IN ('pg_cron', 'pgagent', 'pglogical', 'timescaledb')
ORDER BY 1
"""


def not_carried(opened: Session, wanted: Properties | None) -> list[str]:
    """Return what of the database of a session a restored one will not have, or have otherwise, as sentences.

    `wanted` are the properties in the manifest, which the restored one gets.
    """
    told = []
    for name, plugin, is_active in opened.execute(SLOTS):
        state = "is read from now" if is_active else "is not read now"
        told.append(
            f"The replication slot {name} ({plugin}) stays with the old database and {state}: whoever follows it must "
            "begin anew, with a new slot and a new copy."
        )
    for name, is_enabled in opened.execute(SUBSCRIPTIONS):
        state = "" if is_enabled else ", which is disabled,"
        told.append(f"The subscription {name}{state} stays with the old database: create it again, with its own copy.")
    if publications := [name for (name,) in opened.execute(PUBLICATIONS)]:
        told.append(
            f"The publications {', '.join(publications)} are in the backup, but who is subscribed to them follows a "
            "slot of the old database."
        )
    if (gate := gate_state(opened)).is_there and opened.execute(SUPERUSER).fetchone() != (True,):
        state = "shut" if gate.is_shut else "there"
        told.append(
            f"The gate, which is {state} now, stays with the old database: only a superuser can make it again. "
            "Its SQL is printed by: manage.py onboard DATABASE --gate"
        )
    for (name,) in opened.execute(EXTENSIONS):
        told.append(
            f"The extension {name} keeps state outside of the database or by its number: look at it afterwards."
        )
    return [*told, *_changed(opened, wanted), *ALWAYS]


def _changed(opened: Session, wanted: Properties | None) -> Sequence[str]:
    """Return what was set on the database itself since the backup, and goes back with it."""
    if wanted is None:
        return ()
    try:
        now = read_properties(opened)
    except psycopg.errors.InsufficientPrivilege:
        return ("Whether settings and grants of the database were changed since the backup could not be read.",)
    told = [f"{one}: as in the backup again." for one in now.differences(wanted, with_grants=True)]
    if now.tablespace != wanted.tablespace:
        told.append(f"The new database is in the tablespace pg_default, and the old one in {now.tablespace}.")
    return told
