"""What the history of every layout answers, and the question a migration is asked before it runs."""

from dataclasses import dataclass
from typing import Any, Protocol

from deployments.postgres.connect import Session, Target
from deployments.postgres.ledger import ROLLBACK, Entry
from deployments.postgres.stopped import AlreadyApplied


@dataclass(frozen=True, slots=True)
class Applied:
    """One migration the layout's history calls applied, with the checksum its tool stored ("" if it stores none)."""

    name: str
    checksum: str


class LayoutHistory(Protocol):
    """The history of one migration tool in a target."""

    advisory_lock: int | None  # the key its own runner holds; None if it has none
    table: str  # its own in the target, which no migration of the team makes; "" if it has none

    def applied(self, opened: Session, target: Target) -> list[Applied]:
        """Return what is applied, in the order it was. Raises a DeploymentError if the tool itself would not go on."""

    def is_applied(self, opened: Session, target: Target, migration: str) -> bool:
        """Return whether this migration is applied. Raises what `applied` raises."""

    def record(self, opened: Session, target: Target, entry: Entry) -> list[dict[str, Any]] | None:
        """Write what the tool itself would write, in the transaction that ran the script.

        Returns a copy of the rows it took out of the tool's history, None if it took out none.
        """


def require_still_open(opened: Session, target: Target, entry: Entry, history: LayoutHistory) -> None:
    """Raise AlreadyApplied unless this migration may be run in this direction now. Called while the fence is held.

    The layout's history decides it, not ours: its own tool may have applied what we never did.
    """
    if history.is_applied(opened, target, entry.migration) != (entry.direction == ROLLBACK):
        raise AlreadyApplied(migration=entry.migration)
