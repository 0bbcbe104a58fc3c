"""Reading the record: the story of an object, and whether the chain is whole."""

from dataclasses import dataclass

from django.db import connection
from django.db.models import Model, QuerySet

from deployments.models import AuditEvent


def events_about(subject: Model) -> QuerySet[AuditEvent]:
    """Return the events about this object, oldest first."""
    return AuditEvent.objects.filter(object_type=subject._meta.model_name, object_id=str(subject.pk)).order_by("seq")


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """What a check of the chain found: `broken_at` is the first sequence number that does not fit, or None."""

    events: int
    broken_at: int | None

    @property
    def is_whole(self) -> bool:
        """Whether every event fits the one before it: nothing was changed, inserted or taken out in between.

        Not seen from within: newest events cut off, and a log written anew from some event on by an owner who disabled
        the trigger. Only a hash that is kept at a place outside shows those.
        """
        return self.broken_at is None


# One pass in the database, with the function that the trigger uses: the text that is hashed exists only there.
CHAIN_QUERY = """
SELECT count(*), min(seq) FILTER (WHERE hash <> own_hash OR seq <> place OR previous_hash <> before)
FROM (
    SELECT event.seq, event.hash, event.previous_hash,
           locktender_audit_hash(event) AS own_hash,
           row_number() OVER (ORDER BY event.seq) AS place,
           coalesce(lag(event.hash) OVER (ORDER BY event.seq), '') AS before
    FROM deployments_auditevent event
) chain
"""


def check_chain() -> ChainCheck:
    """Return whether every event is as it was written, in its place."""
    with connection.cursor() as cursor:
        cursor.execute(CHAIN_QUERY)
        events, broken_at = cursor.fetchone()
    return ChainCheck(events=events, broken_at=broken_at)
