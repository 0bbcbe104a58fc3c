"""object-renamed: a function, type, sequence or enum value that running code still calls by its old name."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.names import quote
from checks.rules._seen import is_new, tagged

_KINDS = {
    "OBJECT_FUNCTION": "function",
    "OBJECT_PROCEDURE": "procedure",
    "OBJECT_ROUTINE": "function",
    "OBJECT_AGGREGATE": "aggregate",
    "OBJECT_TYPE": "type",
    "OBJECT_DOMAIN": "domain",
    "OBJECT_SEQUENCE": "sequence",
    "OBJECT_ATTRIBUTE": "attribute",
}


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "RenameStmt", "AlterEnumStmt"):
        kind, old, new = _renamed(seen)
        if kind:
            yield Hit(seen.statement, f"From the commit on, {kind} {old} is called {new}; code that uses {old} fails.")


def _renamed(seen: Seen) -> tuple[str, str, str]:
    tree = seen.statement.tree
    if tree.tag == "AlterEnumStmt":
        old = tree.text("oldVal")
        return (f"value of {tree.dotted('typeName')}", f"'{old}'", f"'{tree.text('newVal')}'") if old else ("", "", "")
    kind, new = _KINDS.get(tree.enum("renameType"), ""), quote(tree.text("newname"))
    if kind == "sequence":
        return ("", "", "") if is_new(seen, tree.relation()) else (kind, tree.relation(), new)
    if kind == "attribute":
        return kind, f"{quote(tree.text('subname'))} of {tree.relation()}", new
    named = tree.get("object")
    old = named.dotted("objname") or named.dotted("names") if named else ""
    if named and not old:
        old = ".".join(quote(one.text("sval")) for one in named.items())
    return kind, old, new


RULE = Rule(
    code="object-renamed",
    title="Function, type, sequence or enum value renamed",
    severity=Severity.WARNING,
    group=Group.OBJECTS,
    why="Columns and views follow a rename, text does not: application code and the bodies of most functions still "
    "hold the old name and fail at their next call.",
    blocks="Nothing for long. What uses the old name fails.",
    help="Add the new one beside the old, move the code, and drop the old one in a later migration. An enum value is "
    "added, written by new code, and the old rows are changed in batches.",
    source="PostgreSQL manual, ALTER TYPE, ALTER FUNCTION; measured: no table is locked",
    judge=_judge,
    given="CREATE TYPE status AS ENUM ('open', 'closed');",
    bad="ALTER TYPE status RENAME VALUE 'closed' TO 'done';",
    good="COMMENT ON TYPE status IS 'Where an order stands';",
)
