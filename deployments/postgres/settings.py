"""What a session is set to, by what it is for (the table in section 2.1 of the reliability study).

- A file in a transaction: `lock_timeout` is LOCK_TIMEOUT, and the whole is tried again; `statement_timeout` the limit
  of a statement; idle in a transaction for 10 s at most; from version 17 a `transaction_timeout`.
- A statement alone: no `lock_timeout` for what works beside the application, but guard and deadline;
  `statement_timeout` at least 10 min.
- A dump: waits 5 s for a lock, and has no other limit than its step. Checks: 500 ms for a lock, each its own limit.

A validation also has at least 10 min, but it keeps its `lock_timeout`: only an index is left half done by one.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from deployments.postgres.connect import Session
    from deployments.postgres.script import Limits

LEAST_LONG = timedelta(minutes=10)
"""What reads a whole table or waits for everybody is not ended sooner (section 2.1 of the study)."""
LONGEST_TRANSACTION = timedelta(hours=6)  # as long as the step itself may take
KNOWS_TRANSACTION_TIMEOUT = 170000

# Nothing waits without a limit. Who runs a migration sets its own limits on top. The functions are the server's own,
# whatever search path the database or the role begins with.
PATIENCE = """
SELECT pg_catalog.set_config('lock_timeout', '2s', false), pg_catalog.set_config('statement_timeout', '60s', false),
       CASE WHEN pg_catalog.current_setting('synchronous_commit') IN ('off', 'local')
            THEN pg_catalog.set_config('synchronous_commit', 'on', false) END,
       -- How the driver reads times. In which order a date is written by others stays as it is set.
       pg_catalog.set_config('DateStyle', 'ISO', false), pg_catalog.set_config('IntervalStyle', 'postgres', false)
"""
# What a value or an expression looks like as text, for as long as a transaction: what is hashed or compared must not
# depend on what is set for the database or a role.
PLAIN_TEXT = """
SELECT pg_catalog.set_config('DateStyle', 'ISO, YMD', true), pg_catalog.set_config('IntervalStyle', 'postgres', true),
  pg_catalog.set_config('TimeZone', 'UTC', true), pg_catalog.set_config('extra_float_digits', '1', true),
  pg_catalog.set_config('bytea_output', 'hex', true), pg_catalog.set_config('xmloption', 'content', true),
  pg_catalog.set_config('lc_monetary', 'C', true), pg_catalog.set_config('quote_all_identifiers', 'off', true),
  pg_catalog.set_config('standard_conforming_strings', 'on', true)
"""
# With these a server finds out within seconds that we are gone, even while it works (E14). Some refuse them. A session
# whose loss it does not see all the same, because something between us keeps the line open, is ended by its own limit
# for an idle transaction (below), which no healthy one reaches unnoticed: it is rolled back and tried again. And by
# name, before anything new is sent: by the next attempt (`end_strays`) or the next executor (`end_predecessors`).
LIVELINESS = """
SELECT pg_catalog.set_config('tcp_keepalives_idle', '10', false),
       pg_catalog.set_config('tcp_keepalives_interval', '5', false),
       pg_catalog.set_config('tcp_keepalives_count', '3', false),
       pg_catalog.set_config('tcp_user_timeout', '30s', false),
       pg_catalog.set_config('client_connection_check_interval', '1s', false)
"""

BEGIN_LIMITS = """
SELECT set_config('lock_timeout', %(lock)s, true), set_config('statement_timeout', %(statement)s, true),
       set_config('idle_in_transaction_session_timeout', '10s', true),
       set_config('standard_conforming_strings', 'on', true)
"""
# What is told to be committed is on disk, and where the database's own commits are: a file may ask for more, not less.
HOLD_DURABLE = """
SELECT pg_catalog.set_config('synchronous_commit', wanted, true)
FROM (SELECT CASE WHEN reset_val IN ('off', 'local') THEN 'on' ELSE reset_val END AS wanted
      FROM pg_catalog.pg_settings WHERE name = 'synchronous_commit') AS usual
WHERE array_position(ARRAY['off', 'local', 'remote_write', 'on', 'remote_apply'], current_setting('synchronous_commit'))
    < array_position(ARRAY['off', 'local', 'remote_write', 'on', 'remote_apply'], wanted)
"""
BEGIN_TRANSACTION_LIMIT = "SELECT set_config('transaction_timeout', %s, true)"
# A file may lower the timeouts, never raise them: asked before every statement.
HOLD_LIMITS = """
SELECT set_config(name, (extract(epoch FROM most) * 1000)::bigint::text, true)
FROM (VALUES ('lock_timeout', %(lock)s::interval), ('statement_timeout', %(statement)s::interval)) AS asked (name, most)
WHERE current_setting(name)::interval NOT BETWEEN '1 ms' AND most
"""
# What a file set for its other statements would end a validation in the middle.
LIFT_STATEMENT_LIMIT = """
SELECT set_config('statement_timeout', %(least)s, true)
WHERE current_setting('statement_timeout')::interval < %(least)s::interval
"""


def be_patient(opened: "Session") -> None:
    """Give a new session the limits that every session has, and commits that are on disk.

    Raises psycopg.Error only if it is the link.
    """
    opened.execute(PATIENCE)
    try:
        opened.execute(LIVELINESS)
    except psycopg.Error:  # a platform without it, or one where it is not ours to set: as good as can be
        if opened.broken or opened.closed:
            raise


def begin_limits(opened: "Session", limits: "Limits") -> None:
    """Set the limits of a transaction that migrates, at its beginning, whatever role or database are set to."""
    opened.execute(
        BEGIN_LIMITS, {"lock": milliseconds(limits.lock_timeout), "statement": milliseconds(limits.statement_timeout)}
    )
    if opened.info.server_version >= KNOWS_TRANSACTION_TIMEOUT:
        opened.execute(BEGIN_TRANSACTION_LIMIT, [milliseconds(LONGEST_TRANSACTION)])


def hold_limits(opened: "Session", limits: "Limits", *, is_validation: bool = False) -> None:
    """Lower again what a file has raised. A validation gets the time it needs in any case."""
    statement = max(limits.statement_timeout, LEAST_LONG) if is_validation else limits.statement_timeout
    opened.execute(HOLD_LIMITS, {"lock": limits.lock_timeout, "statement": statement})
    if is_validation:
        opened.execute(LIFT_STATEMENT_LIMIT, {"least": milliseconds(LEAST_LONG)})


def hold_end(opened: "Session", limits: "Limits") -> None:
    """Undo what a file has set, before what records it: that waits no longer than others, and the commit is durable."""
    hold_limits(opened, limits)
    opened.execute(HOLD_DURABLE)


def milliseconds(value: timedelta) -> str:
    """Return a duration as PostgreSQL reads it. Never 0, which would be no limit."""
    return f"{max(1, round(value.total_seconds() * 1000))}ms"
