"""Tables of backups that somebody wanted beside those of now, as a page shows them."""

from dataclasses import dataclass
from typing import Any

from deployments.models import Database, TargetRequest
from deployments.models.target_request import RequestKind
from deployments.selectors.restoring import Restoring, restoring_in

MOST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Beside:
    """One wish. `restoring` is how far it is, None before it begins and when it is over."""

    wish: TargetRequest
    restoring: Restoring | None

    @property
    def tables(self) -> list[dict[str, Any]]:
        """The copies that are there: of which table, where, how many rows, which columns as text."""
        return list(self.wish.found.get("tables", ())) if self.wish.answered_at else []

    @property
    def version(self) -> str:
        """What changes when the page does."""
        return f"{self.wish.pk}{self.wish.answered_at}{self.restoring.in_short if self.restoring else ''}"


def beside_of(database: Database) -> list[Beside]:
    """Return the newest wishes for tables of a database's backups."""
    wishes = TargetRequest.objects.filter(database=database, kind=RequestKind.TABLES).select_related("requested_by")
    return [
        Beside(wish, None if wish.answered_at else restoring_in(wish.found))
        for wish in wishes.order_by("-pk")[:MOST_SHOWN]
    ]
