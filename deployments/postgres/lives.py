"""What a target remembers that the control database does not know, and marking it as ours again.

A control database that was restored from an older backup has forgotten what it did since, and gives its numbers out a
second time. The target has not forgotten: its fence, and the jobs in its history.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg import sql

from deployments.postgres.batches.ledger import has_batch_table
from deployments.postgres.connect import Holder, Session, Target, session
from deployments.postgres.errors import FenceAhead, TargetSchemaMissing
from deployments.postgres.ledger import Identity, identity, installation_sql, mark_of

MOST_ROWS = 200  # rows of other lives that are told; the target has them all
MOST_NAMED = 5  # jobs that a refusal names

Known = Callable[[], Collection[int]]
"""Asks the control database for the jobs that it knows to have worked on this target. Asked after the target, because
a job is known there before it writes here."""

JOBS = "SELECT job FROM locktender.history WHERE job > 0 UNION SELECT job FROM locktender.statement WHERE job > 0"
FOREIGN = """
SELECT run, job, fence, migration, direction, at FROM locktender.history
WHERE job < 0 OR job = ANY (%(unknown)s) ORDER BY id DESC LIMIT %(most)s
"""
SEEN = """
SELECT (SELECT fence FROM locktender.fence),
       greatest((SELECT max(job) FROM locktender.history), (SELECT max(job) FROM locktender.statement), 0),
       coalesce((SELECT max(run) FROM locktender.history WHERE job > 0), 0)
"""
# Negative numbers belong to no job: neither to one there was, nor to one to come.
FORGET = """
UPDATE locktender.{table} SET job = (SELECT least(0, min(job)) FROM locktender.{table}) - job
WHERE job = ANY (%(unknown)s)
"""
ADOPT = """
UPDATE locktender.meta SET control_plane_id = %s, database_id = %s, system_identifier = %s, database_name = %s,
    installed_at = clock_timestamp()
"""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a target remembers. `unknown` are jobs in it that the control database does not know as its own there."""

    marked: Identity
    found: Identity
    control_plane_id: UUID
    database_id: int
    fence: int
    job: int  # the highest number of each that it has seen
    run: int
    unknown: list[int] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)  # of those, and of what was adopted before: newest first

    def as_evidence(self) -> dict[str, Any]:
        """Return it as values that can be stored."""
        return {
            "marked": {"system": self.marked.system_identifier, "name": self.marked.database_name},
            "found": {"system": self.found.system_identifier, "name": self.found.database_name},
            "control_plane": str(self.control_plane_id),
            "database": self.database_id,
            "fence": self.fence,
            "job": self.job,
            "run": self.run,
            "unknown": self.unknown,
            "rows": self.rows,
        }


def remembered(opened: Session, target: Target, known: Known) -> Remembered | None:
    """Return what a target remembers, None where the schema is not there. Raises PrivilegeMissing."""
    mark = mark_of(opened, target)
    if mark is None:
        return None
    fence, job, run = opened.execute(SEEN).fetchone() or (0, 0, 0)
    unknown = _unknown(opened, known)
    rows = opened.execute(FOREIGN, {"unknown": unknown, "most": MOST_ROWS}).fetchall()
    return Remembered(
        marked=Identity(mark[2], mark[3]),
        found=identity(opened),
        control_plane_id=mark[0],
        database_id=mark[1],
        fence=fence,
        job=job,
        run=run,
        unknown=unknown,
        rows=[
            {"run": one[0], "job": one[1], "fence": one[2], "migration": one[3], "direction": one[4],
             "at": one[5].isoformat()}
            for one in rows
        ],
    )  # fmt: skip


def _unknown(opened: Session, known: Known) -> list[int]:
    found = {job for (job,) in opened.execute(JOBS).fetchall()}
    return sorted(found - set(known()))


def require_not_ahead(opened: Session, target: Target, holder: Holder, known: Known, *, is_first: bool) -> None:
    """Raise FenceAhead if the target knows more than the control database.

    `is_first` is an executor that was not here before. A fence equal to its own is then somebody else's: the same
    number, given out in another life. Asked after `require_ours`, before the fence is raised.
    """
    row = opened.execute("SELECT fence FROM locktender.fence").fetchone()
    if row is not None and (row[0] > holder.fence or (is_first and row[0] == holder.fence)):
        raise FenceAhead(target=target.name, knows=f"has seen fence {row[0]}, but this run holds {holder.fence}")
    if unknown := _unknown(opened, known):
        named = ", ".join(map(str, unknown[:MOST_NAMED]))
        more = f" and {len(unknown) - MOST_NAMED} more" if len(unknown) > MOST_NAMED else ""
        jobs = "job" if len(unknown) == 1 else "jobs"
        raise FenceAhead(target=target.name, knows=f"has history of {jobs} {named}{more} that never ran there for us")


def readopt(target: Target, *, control_plane_id: UUID, known: Known) -> Remembered:
    """Mark a target as what it is now, this database of this control plane; return what it remembered before.

    For a copy, and for a target that knows more than a restored control database. What is applied stays applied. The
    numbers of jobs that are not ours become negative, because the same numbers may be given out again. The fence stays
    as high as it is: an executor of another life that still lives must not find one below its own.
    Raises TargetSchemaMissing, PrivilegeMissing.
    """
    with session(target) as opened, opened.transaction():
        before = remembered(opened, target, known)
        if before is None:
            wanted = installation_sql(control_plane_id=control_plane_id, database_id=target.database_id)
            raise TargetSchemaMissing(target=target.name, sql=wanted)
        opened.execute(
            ADOPT,
            [control_plane_id, target.database_id, before.found.system_identifier, before.found.database_name],
        )
        # Only what was found before it was asked who is known: a job that begins meanwhile writes under its own number.
        unknown = set(before.unknown)
        if has_batch_table(opened):
            batches = opened.execute("SELECT DISTINCT job FROM locktender.batch WHERE job > 0").fetchall()
            unknown |= {job for (job,) in batches} - set(known())
        for table in ("history", "statement", *(["batch"] if has_batch_table(opened) else [])):
            opened.execute(sql.SQL(FORGET).format(table=sql.Identifier(table)), {"unknown": sorted(unknown)})
    return before
