"""What an executor leaves that died right after its intent, and what tests look at afterwards."""

from contextlib import contextmanager

from deployments.postgres.alone.looking import look
from deployments.postgres.alone.records import write_intent
from deployments.postgres.alone.rooms import Room
from tests.postgres.places import Place, script

PARTITIONED = (
    "CREATE TABLE events (at date, note text) PARTITION BY RANGE (at)",
    "CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
    "CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
)


@contextmanager
def interrupted(place: Place, text: str, name: str = "001_ledger", **options):
    """Leave what an executor leaves that died right after its intent."""
    with place.desk(**options) as desk:
        one = script(text, name)
        room = Room(one, one.sent[0], desk.worker)
        with room.session() as opened:
            before = look(opened, one.sent[0].aim)
        room.record(lambda recording: write_intent(recording, one, one.sent[0], desk.worker, before=before))
    yield


def with_users(place: Place) -> Place:
    """Make a table of users."""
    place.do(
        "CREATE TABLE users (id int, name varchar(20), state text, note text)",
        "INSERT INTO users VALUES (1, 'Dana', 'open', 'x'), (2, 'Lee', 'open', 'y')",
    )
    return place


def after_intent(place: Place, text: str) -> None:
    with interrupted(place, text):
        pass


def states(place: Place) -> list[str]:
    return [state for (state,) in place.rows("SELECT state FROM locktender.statement ORDER BY job, position")]


def oid_of(place: Place, name: str) -> int:
    [(oid,)] = place.rows("SELECT to_regclass(%s)::oid::bigint", name)
    return oid


DETACH = "ALTER TABLE events DETACH PARTITION events_2025 CONCURRENTLY"


def partitions(place: Place) -> dict[str, bool]:
    return dict(place.rows("SELECT inhrelid::regclass::text, inhdetachpending FROM pg_inherits"))
