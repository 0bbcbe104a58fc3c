"""Who else is at work in a target: transactions old enough to stand in the way of a migration."""

from dataclasses import asdict, dataclass
from typing import Any

from deployments.postgres.connect import NAME_PREFIX, Session

LONG_SECONDS = 60
"""A transaction this old holds locks, or keeps CREATE INDEX CONCURRENTLY waiting (section 2.4 of the study)."""

LONG_TRANSACTIONS = f"""
SELECT pid, coalesce(usename, ''), coalesce(application_name, ''), coalesce(state, backend_type),
       extract(epoch FROM clock_timestamp() - xact_start)::bigint
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND coalesce(application_name, '') NOT LIKE '{NAME_PREFIX}%%'
  AND clock_timestamp() - xact_start > make_interval(secs => %(seconds)s)
UNION ALL
SELECT NULL, owner, gid, 'prepared', extract(epoch FROM clock_timestamp() - prepared)::bigint
FROM pg_prepared_xacts
WHERE database = current_database() AND clock_timestamp() - prepared > make_interval(secs => %(seconds)s)
ORDER BY 5 DESC LIMIT 20
"""


@dataclass(frozen=True, slots=True)
class LongTransaction:
    """One transaction that has been open for long. Its statement is not read: it may hold personal data."""

    pid: int | None  # None for a prepared transaction: no session has it
    user: str
    application: str  # the session's name, or the prepared transaction's
    state: str
    seconds: int

    def __str__(self) -> str:
        who = "prepared transaction" if self.pid is None else f"pid {self.pid}"
        return f"{who} ({self.user}, {self.application or 'unnamed'}, {self.state}) for {self.seconds} s"

    def as_evidence(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


def long_transactions(opened: Session, *, seconds: float = LONG_SECONDS) -> list[LongTransaction]:
    """Return the oldest transactions of others in this database, at most twenty, oldest first.

    A role without pg_read_all_stats sees neither the names nor the ages of other roles' sessions: they are left out.
    """
    rows = opened.execute(LONG_TRANSACTIONS, {"seconds": seconds}).fetchall()
    return [LongTransaction(*row) for row in rows]
