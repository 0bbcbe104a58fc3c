"""The rows of `locktender.statement`: that a statement is to be sent, what was there before, and that it is done."""

import json
from typing import Any, Protocol

from checks.outside import Found, Past, Remains
from deployments.postgres.connect import Holder, Session
from deployments.postgres.script import Script, Sent


class Acting(Protocol):
    """In whose name the rows are read and written: a worker, or somebody who only looks."""

    @property
    def holder(self) -> Holder:
        """The job and its fence."""


# An attempt of another job counts too, as long as the migration was not applied or rolled back since.
EARLIER = """
SELECT state, post_condition, at <= ANY (SELECT at FROM locktender.history WHERE direction = 'rollback')
FROM locktender.statement
WHERE migration = %(migration)s AND direction = %(direction)s AND position = %(position)s AND sql = %(sql)s
  AND at > ALL (SELECT at FROM locktender.history WHERE migration = %(migration)s)
ORDER BY at
"""
# What a job has done may be gone again once any migration was rolled back: then only the catalogue can prove it.
OVERTAKEN = "an earlier run has done it, and a migration was rolled back since, which may have undone it"
_KEY = "job = %(job)s AND migration = %(migration)s AND direction = %(direction)s AND position = %(position)s"


def past_of(opened: Session, script: Script, sent: Sent, worker: Acting) -> Past:
    """Return what is recorded of earlier attempts at a statement."""
    rows = opened.execute(EARLIER, _values(script, sent, worker)).fetchall()
    # Of the first one: what a later one found may be what the first has made.
    return Past(
        was_attempted=bool(rows),
        was_done=any(state == "done" and not is_overtaken for state, _, is_overtaken in rows),
        before=_read(rows[0][1]) if rows else None,
    )


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
    """Take the intents of a statement back: the server refused it as a whole, or a person knows it was not done.

    And what was done before a migration was rolled back: else it would be in doubt again.
    """
    opened.execute(
        "DELETE FROM locktender.statement WHERE migration = %(migration)s"
        " AND (state = 'intent' OR at <= ANY (SELECT at FROM locktender.history WHERE direction = 'rollback'))"
        " AND direction = %(direction)s AND position = %(position)s AND sql = %(sql)s",
        _values(script, sent, worker),
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
        "sql": sent.text,
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
