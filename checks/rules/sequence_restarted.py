"""sequence-restarted: a sequence in use is set to another value, and may give out values that are taken."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.names import quote
from checks.rules._seen import is_new, offset_of
from checks.tree import Tree


def _judge(context: Context) -> Iterator[Hit]:
    for seen in context.seen:
        for what in _restarted(seen):
            yield Hit(
                seen.statement,
                f"{what} goes on from another value: a value that is in the table already is refused by its key, and "
                "one that other systems know is given to another row.",
                offset=offset_of(seen, "AT_SetIdentity"),
            )


def _restarted(seen: Seen) -> Iterator[str]:
    """Yield the sequences that a statement sets, as SQL or in words."""
    tree = seen.statement.tree
    if tree.tag == "AlterSeqStmt":
        name = tree.relation("sequence")
        if tree.option("restart") is not None and not is_new(seen, name):
            yield name
    elif tree.tag == "AlterTableStmt" and not is_new(seen, tree.relation()):
        for one in tree.each("cmds"):
            definition = one.get("def_")
            options = definition.items() if one.enum("subtype") == "AT_SetIdentity" and definition else ()
            if any(option.text("defname") == "restart" for option in options):
                yield f"The sequence of {quote(one.text('name'))} of {tree.relation()}"
    else:
        yield from _set_by_call(seen)


def _set_by_call(seen: Seen) -> Iterator[str]:
    for node in seen.statement.tree.walk():
        parts = [part.text("sval") for part in node.each("funcname")] if node.tag == "FuncCall" else []
        if parts[-1:] == ["setval"] and parts[:-1] in ([], ["pg_catalog"]) and not _is_after_the_last(node):
            constants = [one.get("val") for one in node.each("args")[:1] if one.tag == "A_Const"]
            name = constants[0].text("sval") if constants and constants[0] is not None else ""
            if not name or not is_new(seen, name):
                yield name or "A sequence"


def _is_after_the_last(call: Tree) -> bool:
    """True when the new value follows the largest that is there, or where another sequence stands."""
    value = call.each("args")[1:2]
    nodes = value[0].walk() if value else ()
    return any(one.tag == "FuncCall" and one.each("funcname")[-1].text("sval") in _FOLLOWS for one in nodes)


_FOLLOWS = frozenset({"max", "nextval"})


RULE = Rule(
    code="sequence-restarted",
    title="Sequence set to another value",
    severity=Severity.WARNING,
    group=Group.OBJECTS,
    why="What takes its values from the sequence gets values again that are in use, or that were in use and are known "
    "elsewhere. setval is not undone with the transaction: after a rollback the sequence stands where it was put.",
    blocks="ALTER SEQUENCE: whoever takes a value, until the transaction ends. setval: nobody.",
    help="Take the new value from the largest that is there, in the same statement. To skip a range, go up only.",
    source="PostgreSQL manual, section 9.17 Sequence Manipulation Functions; ALTER SEQUENCE, Notes; locks measured",
    judge=_judge,
    given="CREATE TABLE orders (id bigserial PRIMARY KEY, note text);",
    bad="ALTER SEQUENCE orders_id_seq RESTART WITH 1;",
    good="SELECT setval('orders_id_seq', (SELECT coalesce(max(id), 1) FROM orders));",
)
