"""Renames whose old name stays alive: a view in the table's place, made in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from checks.changes import Change, Verb
from checks.model import Kind, Name, Relation
from checks.names import unqualified
from checks.tree import Tree

if TYPE_CHECKING:
    from checks.context import Context, Seen


def kept_names(context: Context) -> frozenset[tuple[int, Change]]:
    """Return the renames that old code does not notice, each with the index of its statement.

    The view must be plain, one table and every row of it, so that it can be written to; it must give every column the
    table had under its old name; and nobody may see the moment in between.
    """
    renames = [(seen, change) for seen in context.seen for change in seen.statement.changes if change.verb in _RENAMES]
    if not renames or not context.is_one_transaction:
        return frozenset()
    follower = _Follower()
    for seen in context.seen:
        follower.take(seen)
    kept = {
        (seen.statement.index, change)
        for seen, change in renames
        if follower.keeps(seen.statement.index, change, old=context.world.schema.relations)
    }
    return frozenset(kept)


_RENAMES = frozenset({Verb.RENAME_TABLE, Verb.RENAME_COLUMN})
_TAKES_AWAY = frozenset({Verb.DROP_OBJECT, Verb.DROP_TABLE, Verb.DROP_CASCADE, Verb.DROP_SCHEMA})
_NARROWING = ("distinctClause", "groupClause", "havingClause", "whereClause", "limitCount", "limitOffset", "withClause",
              "windowClause", "valuesLists", "larg", "lockingClause")  # fmt: skip


class _Follower:
    """Which table was called what, and which view took its place."""

    def __init__(self) -> None:
        self._before: dict[Name, Name] = {}  # the name of now -> the one before the script
        self._columns: dict[Name, dict[str, str]] = {}  # of a table by its first name: column of now -> before
        self._views: dict[Name, dict[str, str]] = {}  # first name of a table -> what a view there gives: name -> column
        self._of: dict[tuple[int, Change], Name] = {}

    def take(self, seen: Seen) -> None:
        """Take in one statement."""
        for change in seen.statement.changes:
            place = seen.before.place(change.table) if change.table else None
            if place is None:
                continue
            first = self._before.get(place, place)
            if change.verb is Verb.RENAME_TABLE:
                self._of[seen.statement.index, change] = first
                self._before[Name(place.schema, unqualified(change.detail))] = first
            elif change.verb is Verb.RENAME_COLUMN:
                self._of[seen.statement.index, change] = first
                columns = self._columns.setdefault(first, {})
                old, new = unqualified(change.name), unqualified(change.detail)
                columns[new] = columns.pop(old, old)
            elif change.verb is Verb.CREATE_VIEW:
                self._view(place, seen)
            elif change.verb in _TAKES_AWAY:
                self._views.pop(place, None)
        if seen.statement.kind == "DROP VIEW":
            for name in seen.statement.relations:
                self._views.pop(seen.before.place(name), None)

    def keeps(self, index: int, change: Change, *, old: Mapping[Name, Relation]) -> bool:
        """Tell whether what a rename took away is still there under its old name in the end."""
        first = self._of[index, change]
        view = self._views.get(first)
        if view is None:
            return False
        before = self._columns.get(first, {})
        wanted = set(before.values())
        known = old.get(first)
        if "*" not in view and known is not None and known.kind is not Kind.VIEW:
            wanted |= set(known.columns)
        renamed = {one: now for now, one in before.items()}
        return all(view.get(one) == renamed.get(one, one) for one in wanted) and (known is not None or "*" in view)

    def _view(self, place: Name, seen: Seen) -> None:
        """Take in a view, if it stands in the place of a table that was renamed."""
        query = seen.statement.tree.get("query")
        source = _only_source(query) if query else None
        if query is None or source is None or seen.statement.tree.each("aliases"):
            return
        table = seen.before.place(source)
        if table != place and self._before.get(table) == place:
            self._views[place] = dict(_given(query))


def _only_source(query: Tree) -> str | None:
    """Return the one table that a query gives all rows of, or None."""
    if query.tag != "SelectStmt" or any(query.get(part) for part in _NARROWING):
        return None
    sources = query.each("fromClause")
    return sources[0].range_name() if len(sources) == 1 and sources[0].tag == "RangeVar" else None


def _given(query: Tree) -> Iterator[tuple[str, str]]:
    """Yield the names of the columns that a query gives, each with the column it is; `*` for all of them."""
    for target in query.each("targetList"):
        value = target.get("val")
        if value is None or value.tag != "ColumnRef":
            continue
        last = value.each("fields")[-1]
        if last.tag == "A_Star":
            yield "*", "*"
        else:
            yield target.text("name") or last.text("sval"), last.text("sval")
