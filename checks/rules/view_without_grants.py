"""view-without-grants: a view takes the place of a table that is renamed, and nobody but its owner may use it."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.model import Name, Relation
from checks.names import quote
from checks.recipes import kept_names
from checks.rules._seen import with_first_names
from checks.words import listed


def _judge(context: Context) -> Iterator[Hit]:
    kept = kept_names(context)
    if not kept:
        return
    renamed: dict[Name, Relation] = {}
    for seen, first in with_first_names(context):
        for change in seen.statement.changes:
            place = seen.before.place(change.table) if change.table else None
            if place is None:
                continue
            if change.verb is Verb.RENAME_TABLE and (seen.statement.index, change) in kept:
                renamed[first.get(place, place)] = seen.before.find(change.table) or Relation(place)
            elif change.verb is Verb.CREATE_VIEW and place in renamed:
                yield from _missing(context, seen, change.table, renamed.pop(place))


def _missing(context: Context, seen: Seen, view: str, table: Relation) -> Iterator[Hit]:
    """Yield a hit where what was granted on a table is not granted on the view by the end of the script."""
    end = context.after.relations.get(seen.before.place(view))
    given = end.privileges if end is not None else {}
    lacking = {role: had - given.get(role, frozenset()) for role, had in table.privileges.items()}
    lacking = {role: had for role, had in lacking.items() if had and "ALL" not in given.get(role, frozenset())}
    known = [f"{', '.join(sorted(had))} to {_role(role)}" for role, had in lacking.items()]
    if not known and given:
        return  # somebody thought of it
    what = f"Granted on the table is {listed(known)}." if known else "What is granted on the table is not known here."
    yield Hit(
        seen.statement,
        f"The view {view} has none of the privileges of the table whose name it takes: for every role but its owner, "
        f"what uses {view} is refused from the commit on. {what}",
        "\n".join(f"GRANT {', '.join(sorted(had))} ON {view} TO {_role(role)};" for role, had in lacking.items()),
    )


def _role(role: str) -> str:
    return "PUBLIC" if role == "public" else quote(role)


RULE = Rule(
    code="view-without-grants",
    title="View in a table's place, without its privileges",
    severity=Severity.WARNING,
    group=Group.OBJECTS,
    why="Privileges belong to the table and go with it to its new name. A view is another object: what was granted on "
    "the old name is not granted on it, and the application that was to notice nothing is refused.",
    blocks="Nothing.",
    help="GRANT on the view, in the same transaction, what is granted on the table: "
    "SELECT grantee, privilege_type FROM information_schema.role_table_grants WHERE table_name = 'TABLE'. Where the "
    "application owns both, ignore this and say so.",
    source="PostgreSQL manual, section 5.8 Privileges; tried on a server with a role that owns nothing",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);\nGRANT SELECT ON orders TO pg_monitor;",
    bad="ALTER TABLE orders RENAME TO purchases;\nCREATE VIEW orders AS SELECT * FROM purchases;",
    good="ALTER TABLE orders RENAME TO purchases;\nCREATE VIEW orders AS SELECT * FROM purchases;\n"
    "GRANT SELECT ON orders TO pg_monitor;",
)
