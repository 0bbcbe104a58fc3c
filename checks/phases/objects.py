"""What a change of an object that is no table takes away from old application code, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from checks.changes import Change
from checks.model import Name
from checks.names import split
from checks.phases.past import Doubt, Past, is_replaced
from checks.reading.tables import CHANGES_ATTRIBUTE

if TYPE_CHECKING:
    from checks.context import Seen

# A table is not read otherwise than before without these, and no code names them.
_UNNAMED = frozenset({"statistics", "comment", "cast", "event trigger", "text search configuration"})
_ACTING = frozenset({"trigger", "policy", "rule"})


def drop_object(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    """Yield what a DROP takes away."""
    kind, name = change.detail, change.name or change.table
    place = seen.before.place(name) if name else Name("", "")
    if kind == "index":
        yield from drop_index(change, seen, past)
    elif kind in _ACTING:
        if not change.table or past.knows_table(change, seen):
            yield Doubt(f"what {kind} {name} of {change.table or 'a table'} did for old code is not done any more")
    elif kind in {"view", "materialized view", "sequence", "table", "foreign table"}:
        if not seen.before.is_new(place) and not is_replaced(place, seen, past):
            yield f"{kind} {name} is gone: whoever uses it fails"
    elif kind in {"function", "procedure", "aggregate", "routine"}:
        yield from _drop_function(change, seen, past)
    elif kind not in _UNNAMED:
        yield f"{kind} {name} is gone: whoever uses it fails"


def _drop_function(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    schema, bare = split(change.name)
    for_triggers = {
        one.name
        for known in (past.context.world.schema, seen.before)
        for relation in known.relations.values()
        for one in relation.triggers.values()
    }
    again = any(one.name == bare for one in past.context.after.functions) and past.context.is_one_transaction
    if bare not in for_triggers and not again:
        yield f"{change.detail} {f'{schema}.' if schema else ''}{bare} is gone: whoever calls it fails"


def drop_index(change: Change, seen: Seen, _: Past) -> Iterator[str]:
    """Yield what is lost with an index: speed, and with a unique one what ON CONFLICT relies on."""
    table = seen.before.find_index(change.name) if change.name else None
    index = table.indexes.get(split(change.name)[1]) if table else None
    if index is None or index.is_unique:
        words = f"ON CONFLICT that relies on index {change.name} fails"
        yield Doubt(f"whether {words}: it may be unique") if index is None else words


def replaced(change: Change, seen: Seen, _: Past) -> Iterator[str]:
    """Yield a doubt about a function that may be there already."""
    functions = seen.before.functions
    place = seen.before.place(change.name)
    if place in functions or not seen.before.is_complete:
        yield Doubt(f"whether {change.name} still does what old code expects of it")


_COMMANDS_BREAK = {
    "drop identity": "has no numbers of its own any more: inserts of old code that leave it out fail",
    "drop expression": "is not computed any more: inserts of old code leave it empty",
    "enable row security": "shows only the rows that a policy allows",
    "force row security": "shows only the rows that a policy allows, to its owner too",
    "detach partition": "loses the rows of a partition",
    "detach partition finalize": "loses the rows of a partition",
}
_HARMLESS_COMMANDS = frozenset({"attach partition", "disable row security", "no force row security", "replica identity",
                                "alter constraint", "set statistics", "enable trig", "set of"})  # fmt: skip
_HARMLESS_KINDS = frozenset({"ALTER SEQUENCE", "CREATE EXTENSION", "CREATE PUBLICATION", "REFRESH MATERIALIZED VIEW",
                             "ALTER DEFAULT PRIVILEGES", "ALTER VIEW", "ALTER INDEX", "SELECT", "GRANT"})  # fmt: skip


def alter(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    """Yield what an ALTER, a trigger or a REVOKE takes away."""
    # The other table of ATTACH and DETACH: what that means is told of the parent.
    is_other = change.detail.startswith(("attach partition of", "detach partition of"))
    if is_other or (change.table and not past.knows_table(change, seen)):
        return
    tree, kind = seen.statement.tree, seen.statement.kind.removesuffix(" CONCURRENTLY")
    if change.detail in _COMMANDS_BREAK:
        yield f"{change.subject} {_COMMANDS_BREAK[change.detail]}"
    elif change.detail == CHANGES_ATTRIBUTE:
        yield f"type {change.name} loses or changes an attribute: whoever uses it fails"
    elif tree.tag in _READERS:
        yield from _READERS[tree.tag](change, seen, past)
    elif kind == "REVOKE":
        yield "a privilege is taken away: whoever relies on it fails"
    elif change.detail not in _HARMLESS_COMMANDS and kind not in _HARMLESS_KINDS:
        about = f" of {change.table or change.name}" if change.table or change.name else ""
        yield Doubt(f"what {change.detail or kind}{about} means for old code")


def _enum(_: Change, seen: Seen, __: Past) -> Iterator[str]:
    tree = seen.statement.tree
    if tree.text("oldVal"):
        yield f"'{tree.text('oldVal')}' is called '{tree.text('newVal')}' now: whoever writes or compares it fails"


def _domain(_: Change, seen: Seen, __: Past) -> Iterator[str]:
    tree = seen.statement.tree
    if tree.text("subtype") in {"C", "O"}:  # ADD CONSTRAINT and SET NOT NULL
        yield f"domain {tree.dotted('typeName')} refuses what old code could write until now"


def _trigger(change: Change, seen: Seen, past: Past) -> Iterator[str]:
    """A trigger may refuse or change what old code writes, unless it only fills columns that old code has not."""
    function = past.functions.get(seen.before.place(seen.statement.tree.dotted("funcname")))
    filled = function.columns if function else {}
    theirs = [one for one in filled if past.knows_column(change, seen, one)]
    # Kept equal in both directions: the old column follows the new one.
    followed = all(any(not past.knows_column(change, seen, source) for source in filled[one]) for one in theirs)
    if function is None or not followed:
        name = seen.statement.tree.text("trigname")
        yield Doubt(f"what trigger {name} does when old code writes {change.table}")


_READERS: dict[str, Callable[[Change, Seen, Past], Iterator[str]]] = {
    "AlterEnumStmt": _enum,
    "AlterDomainStmt": _domain,
    "CreateTrigStmt": _trigger,
}
