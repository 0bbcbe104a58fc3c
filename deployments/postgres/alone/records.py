"""The rows of `locktender.statement`: that a statement is to be sent, what was there before, and that it is done."""

import json
from typing import Any, NamedTuple, Protocol

from checks.outside import Found, Past, Remains
from deployments.postgres.connect import Holder, Session
from deployments.postgres.script import Script, Sent


class Acting(Protocol):
    """In whose name the rows are read and written: a worker, or somebody who only looks."""

    @property
    def holder(self) -> Holder:
        """The job and its fence."""


# An attempt of another job counts too, as long as the migration was not applied or rolled back since. A job has a row
# of each statement that it came to, and none of a setting: so their order tells the place that one had in its file.
EARLIER = """
SELECT job, position, place, state, post_condition, fence,
       at <= ANY (SELECT at FROM locktender.history WHERE direction = 'rollback') AS is_overtaken
FROM (SELECT *, row_number() OVER (PARTITION BY job ORDER BY position) AS place
      FROM locktender.statement WHERE migration = %(migration)s AND direction = %(direction)s) AS one
WHERE (sql = %(sql)s OR job = %(job)s AND position = %(position)s)  -- a job has one file
  AND at > ALL (SELECT at FROM locktender.history WHERE migration = %(migration)s)
ORDER BY at
"""
OTHERS = """
SELECT DISTINCT position FROM locktender.statement
WHERE migration = %(migration)s AND direction = %(direction)s AND state = 'done' AND job <> %(job)s
  AND sql <> ALL (%(texts)s) AND at > ALL (SELECT at FROM locktender.history WHERE migration = %(migration)s)
ORDER BY position
"""
# What a job has done may be gone again once any migration was rolled back: then only the catalogue can prove it.
OVERTAKEN = "an earlier run has done it, and a migration was rolled back since, which may have undone it"
# Nor is it known whether it is meant to be done after what stands before it now.
MOVED = (
    "an earlier run has done it at another place among the statements of the file. Where it is not to be done again, "
    "leave what was done in its old order and add what is new after it"
)
_KEY = "job = %(job)s AND migration = %(migration)s AND direction = %(direction)s AND position = %(position)s"


def past_of(opened: Session, script: Script, sent: Sent, worker: Acting) -> Past:
    """Return what is recorded of earlier attempts at a statement."""
    here, moved = _earlier(opened, script, sent, worker)
    rows = here or moved
    done = [row for row in here if row.state == "done"]
    was_done = any(not row.is_overtaken for row in done)
    # What was there: of the first one, as what a later one found may be what the first has made.
    before = _read(rows[0].post_condition) if rows else None
    why = "" if was_done or not rows else OVERTAKEN if done else MOVED
    return Past(was_attempted=bool(rows), was_done=was_done, before=before, why=why)


def done_otherwise(opened: Session, script: Script, worker: Acting) -> list[int]:
    """Return the positions of what earlier jobs have done with texts, or after settings, that the file has no more."""
    entry, texts = script.entry, [one.recorded for one in script.sent if not one.is_setting]
    told = {"migration": entry.migration, "direction": entry.direction, "job": worker.holder.job, "texts": texts}
    return [position for (position,) in opened.execute(OTHERS, told).fetchall()]


def write_intent(opened: Session, script: Script, sent: Sent, worker: Acting, *, before: Found) -> None:
    """Write that a statement is about to be sent, unless this job has done so before."""
    _insert(opened, _values(script, sent, worker) | {"state": "intent", "before": _written(before)})


def write_done(opened: Session, script: Script, sent: Sent, worker: Acting) -> None:
    """Write that a statement is done."""
    values = _values(script, sent, worker) | {"state": "done", "before": "{}"}
    if not opened.execute(
        f"UPDATE locktender.statement SET state = 'done', at = clock_timestamp() WHERE {_KEY}", values
    ).rowcount:
        _insert(opened, values)


def is_done(opened: Session, script: Script, sent: Sent, worker: Acting) -> bool:
    """Return whether this job has done a statement."""
    row = opened.execute(f"SELECT state FROM locktender.statement WHERE {_KEY}", _values(script, sent, worker))
    return row.fetchone() == ("done",)


def withdraw(opened: Session, script: Script, sent: Sent, worker: Acting) -> None:
    """Take the intents of a statement back, which the server refused as a whole.

    And what was done before a migration was rolled back: else it would be in doubt again.
    """
    here, _ = _earlier(opened, script, sent, worker)
    _forget(opened, script, [row for row in here if row.is_in_doubt])


def let_send_again(opened: Session, script: Script, sent: Sent, worker: Acting) -> None:
    """Take back what was in doubt, as a person decided: intents, and what was done and may not count as done.

    Only what executors before this one have written: what it has sent itself meanwhile is a doubt of its own.
    """
    here, moved = _earlier(opened, script, sent, worker)
    doubted = [row for row in here if row.is_in_doubt] + moved
    _forget(opened, script, [row for row in doubted if row.fence < worker.holder.fence])


def _earlier(opened: Session, script: Script, sent: Sent, worker: Acting) -> tuple[list["_Earlier"], list["_Earlier"]]:
    """Return the rows of a statement, oldest first: those of its place in the file, and those of a former place."""
    place, like = script.places_of(sent)
    rows = [_Earlier(*row) for row in opened.execute(EARLIER, _values(script, sent, worker)).fetchall()]
    return [row for row in rows if row.place == place], [row for row in rows if row.place not in like]


class _Earlier(NamedTuple):
    job: int
    position: int
    place: int  # from 1, among the statements that are no settings
    state: str
    post_condition: str
    fence: int
    is_overtaken: bool

    @property
    def is_in_doubt(self) -> bool:
        return self.state == "intent" or self.is_overtaken


def _forget(opened: Session, script: Script, rows: list[_Earlier]) -> None:
    entry = script.entry
    for row in rows:
        opened.execute(
            "DELETE FROM locktender.statement WHERE job = %s AND migration = %s AND direction = %s AND position = %s",
            [row.job, entry.migration, entry.direction, row.position],
        )


def _insert(opened: Session, values: dict[str, Any]) -> None:
    opened.execute(
        "INSERT INTO locktender.statement (job, migration, direction, position, fence, state, sql, post_condition)"
        " VALUES (%(job)s, %(migration)s, %(direction)s, %(position)s, %(fence)s, %(state)s, %(sql)s, %(before)s)"
        " ON CONFLICT DO NOTHING",
        values,
    )


def _values(script: Script, sent: Sent, worker: Acting) -> dict[str, Any]:
    entry = script.entry
    return {
        "job": worker.holder.job,
        "migration": entry.migration,
        "direction": entry.direction,
        "position": sent.number,
        "fence": worker.holder.fence,
        "sql": sent.recorded,
    }


def _written(before: Found) -> str:
    """Return what has to be remembered to know later what is new, as text."""
    unfinished = [one.oid for one in before.unfinished]
    return json.dumps({"there": sorted(before.there), "unfinished": sorted(unfinished)})


def _read(text: str) -> Found | None:
    """Return what was remembered; None for the row of an older version, which remembered other things."""
    try:
        told = json.loads(text)
    except ValueError:
        return None
    if not isinstance(told, dict) or "there" not in told:
        return None
    return Found(there=frozenset(told["there"]), unfinished=tuple(Remains(oid, "", "") for oid in told["unfinished"]))
