"""Reading the record: the story of an object, and whether the chain is whole."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import OperationalError, connection, transaction
from django.db.models import Model, QuerySet

from deployments.models import AuditEvent

CHECK_LIMIT = timedelta(seconds=30)
QUERY_CANCELED = "57014"


def events_about(subject: Model) -> QuerySet[AuditEvent]:
    """Return the events about this object, oldest first."""
    return AuditEvent.objects.filter(object_type=subject._meta.model_name, object_id=str(subject.pk)).order_by("seq")


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """What a check of the chain found: `broken_at` is the first sequence number that does not fit, or None.

    `events` were looked at, the newest ones; `older` were not.
    """

    events: int
    broken_at: int | None
    older: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether every event that was looked at fits the one before it: nothing was changed, inserted or taken out.

        Not seen from within: newest events cut off, and a log written anew from some event on by an owner who disabled
        the trigger. Only a hash that is kept at a place outside shows those.
        """
        return self.broken_at is None

    @property
    def is_complete(self) -> bool:
        """Whether every event was looked at."""
        return self.older == 0

    @property
    def total(self) -> int:
        """How many events there are, looked at or not."""
        return self.events + self.older


# One pass in the database, with the function that the trigger uses: the text that is hashed exists only there. About
# 25,000 events a second.
CHAIN_QUERY = """
WITH newest AS (SELECT coalesce(max(seq), 0) AS last FROM deployments_auditevent),
     floor AS (SELECT CASE WHEN %(newest)s::bigint IS NULL THEN 0 ELSE greatest(last - %(newest)s, 0) END AS seq
               FROM newest)
SELECT count(*), min(seq) FILTER (WHERE hash <> own_hash OR seq <> place OR previous_hash <> before),
       (SELECT seq FROM floor)
FROM (
    SELECT event.seq, event.hash, event.previous_hash,
           locktender_audit_hash(event) AS own_hash,
           floor.seq + row_number() OVER (ORDER BY event.seq) AS place,
           coalesce(lag(event.hash) OVER (ORDER BY event.seq),
                    (SELECT hash FROM deployments_auditevent WHERE seq = floor.seq), '') AS before
    FROM floor JOIN deployments_auditevent event ON event.seq > floor.seq
) chain
"""


def check_chain(*, newest: int | None = None) -> ChainCheck:
    """Return whether every event, or each of so many newest ones, is as it was written, in its place."""
    with connection.cursor() as cursor:
        cursor.execute(CHAIN_QUERY, {"newest": newest})
        events, broken_at, older = cursor.fetchone()
    return ChainCheck(events=events, broken_at=broken_at, older=older)


def check_whole_chain() -> ChainCheck | None:
    """Return whether every event is as it was written, or None if finding out took longer than CHECK_LIMIT."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('statement_timeout', %s, true)", [f"{CHECK_LIMIT.total_seconds():.0f}s"]
                )
            return check_chain()
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != QUERY_CANCELED:
            raise
        return None
