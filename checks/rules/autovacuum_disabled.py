"""autovacuum-disabled: a table is no longer cleaned up and analysed by itself."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.model import Name
from checks.rules._seen import offset_of
from checks.tree import Tree

_OFF = frozenset({"off", "false", "no", "0", "f"})
_ENABLED = "autovacuum_enabled"


def _judge(context: Context) -> Iterator[Hit]:
    off: dict[tuple[Name, str], Seen] = {}
    for seen in context.seen:
        for name, part, is_off in _switched(seen):
            if is_off:
                off.setdefault((name, part), seen)
            else:
                off.pop((name, part), None)
    for (name, part), seen in off.items():
        if part and off.get((name, "")) is seen:
            continue  # told with the table
        where = f"{'the long values of ' if part else ''}{name}"
        yield Hit(
            seen.statement,
            f"Autovacuum leaves {where} alone from then on: dead rows stay, and its statistics are no longer renewed.",
            offset=offset_of(seen, "AT_SetRelOptions"),
        )


def _switched(seen: Seen) -> Iterator[tuple[Name, str, bool]]:
    """Yield each table whose autovacuum a statement switches, `toast` or "" for its own, and whether it is off."""
    tree = seen.statement.tree
    base = tree.get("base") or tree
    if tree.tag == "AlterTableStmt":
        name = seen.before.place(tree.relation())
        for command in tree.each("cmds"):
            definition = command.get("def_")
            is_set = command.enum("subtype") == "AT_SetRelOptions"
            if definition is not None and (is_set or command.enum("subtype") == "AT_ResetRelOptions"):
                yield from ((name, part, is_set and is_off) for part, is_off in _options(definition.items()))
    elif base.tag == "CreateStmt":
        name = seen.before.place(base.relation())
        yield from ((name, part, is_off) for part, is_off in _options(base.each("options")))


def _options(options: tuple[Tree, ...]) -> Iterator[tuple[str, bool]]:
    for one in options:
        if one.text("defname").lower() == _ENABLED:
            value = one.get("arg")
            yield one.text("defnamespace").lower(), value is not None and _written(value) in _OFF


def _written(value: Tree) -> str:
    if value.tag == "TypeName":  # a word that is no keyword
        return value.dotted("names").lower()
    if value.tag == "Integer":
        return str(value.number("ival"))
    return "false" if value.tag == "Boolean" and not value.flag("boolval") else value.text("sval").lower()


RULE = Rule(
    code="autovacuum-disabled",
    title="Autovacuum switched off",
    severity=Severity.WARNING,
    group=Group.TABLES,
    why="Nothing happens at once, and that is the danger: the table grows, plans go wrong with old statistics, and in "
    "the end the server cleans it up all the same, at a time of its own choice, to save its transaction ids.",
    blocks="Nothing at first. A forced cleaning at the end cannot be put off.",
    help="Make autovacuum work more often and in smaller pieces instead. For one large load, switch it on again in the "
    "same script.",
    source="PostgreSQL manual, section 24.1.5 Preventing Transaction ID Wraparound Failures; Storage Parameters",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, note text);",
    bad="ALTER TABLE orders SET (autovacuum_enabled = off, toast.autovacuum_enabled = off);",
    good="ALTER TABLE orders SET (autovacuum_vacuum_scale_factor = 0.02);",
)
