"""The table `locktender.batch` in a target: how far a batched statement is, written with the batch itself."""

from dataclasses import dataclass

from deployments.errors import DeploymentError
from deployments.postgres.connect import Session, Target
from deployments.postgres.errors import NOTHING

TABLE = """\
CREATE TABLE locktender.batch (
    job bigint NOT NULL,
    migration text NOT NULL,
    direction text NOT NULL CHECK (direction IN ('forward', 'rollback')),
    position integer NOT NULL,
    fence bigint NOT NULL,
    sql text NOT NULL,
    watermark text[],
    last_key text[],
    estimate bigint,
    keys bigint NOT NULL DEFAULT 0,
    rows bigint NOT NULL DEFAULT 0,
    batches bigint NOT NULL DEFAULT 0,
    seconds double precision NOT NULL DEFAULT 0,
    throttled_seconds double precision NOT NULL DEFAULT 0,
    done boolean NOT NULL DEFAULT false,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (job, migration, direction, position)
);
"""
UPGRADE = f"BEGIN;\n{TABLE}COMMIT;\n"
"""What adds the table to a target that was prepared before there were batches."""


class TargetSchemaOlder(DeploymentError):
    """The schema `locktender` of a target was made before there were batches."""

    code = "target-schema-older"

    def __init__(self, *, target: str) -> None:
        self.sql = UPGRADE
        super().__init__(
            f"The schema locktender of {target} has no table for batches: it was made by an earlier version. {NOTHING} "
            f"As the role that migrates, run this once there, then ask for a new run:\n{UPGRADE}"
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Which batched statement: of which job, and the statement that is sent for one batch."""

    job: int
    fence: int
    migration: str
    direction: str
    position: int
    sql: str  # with the settings before it that give its names their meaning
    is_only: bool = True  # no other statement of the file has that text: then it is the same one at another position

    @property
    def values(self) -> dict[str, object]:
        """The values that every query below takes."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a batched statement is: what is committed, and nothing else.

    `watermark` is the last key that is done, `last_key` the greatest one there was when it began, as text; None before
    the first batch, and for a table that was empty. `keys` counts the rows that were gone through, `rows` those that
    were changed. `estimate` is how many there were as the server estimated, None where it never did. In seconds:
    `seconds` in batches, `throttled_seconds` in pauses between them.
    """

    watermark: list[str] | None = None
    last_key: list[str] | None = None
    estimate: int | None = None
    keys: int = 0
    rows: int = 0
    batches: int = 0
    seconds: float = 0.0
    throttled_seconds: float = 0.0
    is_done: bool = False


_COLUMNS = "watermark, last_key, estimate, keys, rows, batches, seconds, throttled_seconds, done"
_OWN = "job = %(job)s AND migration = %(migration)s AND direction = %(direction)s AND position = %(position)s"
# Of this statement, by any job, as long as the migration was neither applied nor rolled back since, nor any other one
# rolled back: that may have taken away what the batches had filled.
_FITTING = """
migration = %(migration)s AND direction = %(direction)s
AND (sql = %(sql)s AND %(is_only)s OR position = %(position)s AND (sql = %(sql)s OR job = %(job)s))
AND at > ALL (SELECT at FROM locktender.history WHERE migration = %(migration)s OR direction = 'rollback')
"""


def has_batch_table(opened: Session) -> bool:
    """Return whether the target has the table for batches: one that was prepared by an earlier version lacks it."""
    return opened.execute("SELECT to_regclass('locktender.batch') IS NOT NULL").fetchone() == (True,)


def require_batch_table(opened: Session, target: Target) -> None:
    """Raise TargetSchemaOlder if the target was prepared before there were batches."""
    if not has_batch_table(opened):
        raise TargetSchemaOlder(target=target.name)


def earlier(opened: Session, place: Place) -> tuple[Standing, int] | None:
    """Return how far this job or one before it came with the same statement, and which job.

    None if none began, or if a migration was rolled back since.
    """
    row = opened.execute(
        f"SELECT job, {_COLUMNS} FROM locktender.batch WHERE {_FITTING} ORDER BY at DESC LIMIT 1",  # constant text
        place.values,
    ).fetchone()
    return None if row is None else (Standing(*row[1:]), row[0])


def other_text(opened: Session, place: Place) -> int:
    """Return how many rows an earlier attempt has changed with another text of this statement; 0 if there was none."""
    row = opened.execute(
        "SELECT coalesce(max(rows), 0) FROM locktender.batch"
        " WHERE migration = %(migration)s AND direction = %(direction)s AND position = %(position)s AND sql <> %(sql)s"
        " AND at > ALL (SELECT at FROM locktender.history WHERE migration = %(migration)s)",
        place.values,
    ).fetchone()
    return int(row[0]) if row else 0


def overtaken(opened: Session, place: Place) -> int:
    """Return how many rows an earlier attempt has changed before another migration was rolled back; 0 for none."""
    row = opened.execute(
        "SELECT coalesce(max(rows), 0) FROM locktender.batch"
        " WHERE migration = %(migration)s AND direction = %(direction)s AND sql = %(sql)s"
        " AND (%(is_only)s OR position = %(position)s)"
        " AND at > ALL (SELECT at FROM locktender.history WHERE migration = %(migration)s)"
        " AND at <= ANY (SELECT at FROM locktender.history WHERE direction = 'rollback')",
        place.values,
    ).fetchone()
    return int(row[0]) if row else 0


def begin(opened: Session, place: Place, standing: Standing) -> None:
    """Write where a job begins with a statement: at the beginning, or where an earlier one came to."""
    opened.execute(f"DELETE FROM locktender.batch WHERE {_OWN}", place.values)
    opened.execute(
        f"INSERT INTO locktender.batch (job, migration, direction, position, fence, sql, {_COLUMNS})"
        " VALUES (%(job)s, %(migration)s, %(direction)s, %(position)s, %(fence)s, %(sql)s, %(watermark)s, %(last_key)s,"
        " %(estimate)s, %(keys)s, %(rows)s, %(batches)s, %(seconds)s, %(throttled_seconds)s, %(done)s)",
        place.values | _told(standing),
    )


def standing(opened: Session, place: Place) -> Standing:
    """Return how far this job is, and hold it until the end of the transaction. It was begun before."""
    row = opened.execute(f"SELECT {_COLUMNS} FROM locktender.batch WHERE {_OWN} FOR UPDATE", place.values).fetchone()
    assert row is not None  # noqa: S101 # written by `begin`, and never removed
    return Standing(*row)


def advance(opened: Session, place: Place, to: Standing) -> None:
    """Write how far it is, in the transaction of the batch that brought it there."""
    opened.execute(
        "UPDATE locktender.batch SET fence = %(fence)s, watermark = %(watermark)s, keys = %(keys)s, rows = %(rows)s,"
        " batches = %(batches)s, seconds = %(seconds)s, throttled_seconds = %(throttled_seconds)s, done = %(done)s,"
        f" at = clock_timestamp() WHERE {_OWN}",
        place.values | _told(to),
    )


def _told(one: Standing) -> dict[str, object]:
    told = {name: getattr(one, name) for name in one.__slots__}
    return told | {"done": told.pop("is_done")}
