"""Who is in a database, who of them can be ended, and what keeps a database from being renamed."""

from deployments.postgres.connect import Session

# Without a role are the server's own helpers, which it ends by itself; what a superuser began only one can end. What
# kind of process it is may be hidden from us.
ENDABLE = """
(role.rolsuper IS NOT TRUE OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user))
"""
END = f"""
SELECT count(pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity
LEFT JOIN pg_catalog.pg_roles role ON role.oid = usesysid
WHERE datname = %(name)s AND pid <> pg_catalog.pg_backend_pid() AND usesysid IS NOT NULL AND {ENDABLE}
  AND (%(if_there)s::text IS NULL
       OR EXISTS (SELECT FROM pg_catalog.pg_database there WHERE there.datname = %(if_there)s))
"""
STAYING = f"""
SELECT format('pid %%s (%%s, %%s) is in it, and only a superuser can end it', pid, usename,
              coalesce(nullif(application_name, ''), 'unnamed'))
FROM pg_catalog.pg_stat_activity LEFT JOIN pg_catalog.pg_roles role ON role.oid = usesysid
WHERE datname = %(name)s AND pid <> pg_catalog.pg_backend_pid() AND usesysid IS NOT NULL AND NOT {ENDABLE}
UNION ALL
SELECT format('the prepared transaction %%s of %%s is open in it since %%s', gid, owner, prepared)
FROM pg_catalog.pg_prepared_xacts WHERE database = %(name)s
ORDER BY 1
"""
LEFT = """
SELECT format('pid %%s (%%s, %%s) did not go', pid, coalesce(usename, 'the server'),
              coalesce(nullif(application_name, ''), 'unnamed'))
FROM pg_catalog.pg_stat_activity WHERE datname = ANY (%s) AND pid <> pg_catalog.pg_backend_pid() ORDER BY pid
"""


def end_sessions(opened: Session, name: str, *, if_there: str | None = None) -> int:
    """Tell every other session in a database to end that this role may end; return how many there were.

    Nobody is ended unless there is a database called `if_there`, where one is named.
    """
    row = opened.execute(END, {"name": name, "if_there": if_there}).fetchone()
    return int(row[0]) if row else 0


def staying(opened: Session, name: str) -> list[str]:
    """Return what would keep this database from being renamed, as sentences; empty if it can be."""
    return [one for (one,) in opened.execute(STAYING, {"name": name})]


def left_in(opened: Session, *names: str) -> list[str]:
    """Return who is in these databases still, as sentences."""
    return [one for (one,) in opened.execute(LEFT, [list(names)])]
