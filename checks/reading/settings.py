"""Which settings a script may change, and what a change of each one means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from checks.changes import Verb

# They change who acts, or switch off triggers and foreign keys, behind the back of the runner.
_SESSION_ROLE = frozenset({"role", "session_authorization", "session_replication_role"})

# The longest that is not called raised. The runner holds limits of its own, before every statement; a wait for a lock
# of more than this stops the application wherever the file is run by something else.
TIMEOUTS: Mapping[str, timedelta] = {
    "lock_timeout": timedelta(seconds=10),
    "statement_timeout": timedelta(minutes=30),
    "idle_in_transaction_session_timeout": timedelta(minutes=1),
}

# Nobody but this script notices them, and none of them can lose or hide data.
_HARMLESS = frozenset(
    """
    search_path transaction_timeout work_mem maintenance_work_mem max_parallel_maintenance_workers
    max_parallel_workers_per_gather client_min_messages timezone datestyle intervalstyle xmloption
    extra_float_digits bytea_output check_function_bodies default_tablespace default_table_access_method
    row_security escape_string_warning default_toast_compression
    """.split()  # noqa: SIM905 - words, not a list of strings
)
# Harmless with this value only: with another one the text of the script would mean something else.
_HARMLESS_AS = {
    "standard_conforming_strings": {"on", "true", "1", "yes"},
    "client_encoding": {"utf8", "utf-8", "unicode"},
}

_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?)\s*(us|ms|s|min|h|d)?\s*")
_UNITS = {
    "us": timedelta(microseconds=1),
    "": timedelta(milliseconds=1),
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def verb_of(name: str, value: str | None) -> Verb:
    """Return what setting `name` to `value` is; without a value it goes back to a default, or is computed."""
    bare = name.lower()
    if bare in _SESSION_ROLE:
        return Verb.SESSION_ROLE
    if bare in TIMEOUTS:
        return Verb.SETTING if _is_within(value, TIMEOUTS[bare]) else Verb.RAISE_TIMEOUT
    if bare in _HARMLESS or (value is not None and value.lower() in _HARMLESS_AS.get(bare, ())):
        return Verb.SETTING
    return Verb.SETTING_UNKNOWN


def _is_within(value: str | None, limit: timedelta) -> bool:
    """True when the value is a duration above zero (which would be no limit at all) and up to the limit."""
    match = _DURATION.fullmatch(value) if value is not None else None
    if match is None or len(match[1]) > len("999999999"):
        return False
    return timedelta(0) < float(match[1]) * _UNITS[match[2] or ""] <= limit
