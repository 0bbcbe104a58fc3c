"""table-behaviour-changed: inheritance, rules or a table's type: the same query means something else afterwards."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import commands, is_new, offset_of, tagged

_RULES = frozenset({"AT_EnableRule", "AT_EnableAlwaysRule", "AT_EnableReplicaRule", "AT_DisableRule"})
_FORMS = {
    "AT_AddInherit": "Queries of {p} find the rows of {t} too, from the commit on.",
    "AT_DropInherit": "Queries of {p} no longer find the rows of {t}, from the commit on.",
    "AT_AddOf": "{t} is tied to a type: its columns can change only with it.",
    "AT_DropOf": "{t} is no longer tied to its type.",
}


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "AlterTableStmt", "RuleStmt", "DropStmt"):
        table, told = _told(seen)
        if told and not is_new(seen, table):
            yield Hit(seen.statement, told, offset=offset_of(seen, *_FORMS, *_RULES))


def _told(seen: Seen) -> tuple[str, str]:
    tree = seen.statement.tree
    rewritten = "A rule turns statements on {t} into others: from the commit on they do something else."
    if tree.tag == "RuleStmt":
        return tree.relation(), rewritten.format(t=tree.relation())
    if tree.tag == "DropStmt":
        if tree.enum("removeType") != "OBJECT_RULE":
            return "", ""
        table = seen.statement.changes[0].table
        return table, rewritten.format(t=table)
    table = tree.relation()
    for command in commands(seen, *_FORMS, *_RULES):
        definition = command.get("def_")
        parent = definition.range_name() if definition and definition.tag == "RangeVar" else ""
        return table, _FORMS.get(command.enum("subtype"), rewritten).format(t=table, p=parent or "the parent")
    return "", ""


RULE = Rule(
    code="table-behaviour-changed",
    title="Inheritance, rule or table type changed",
    severity=Severity.NOTE,
    group=Group.TABLES,
    why="The statement takes a moment, but afterwards the same queries find other rows, or are turned into other "
    "statements. Nothing in the application's code shows it.",
    blocks="Reads and writes of the table, for a moment.",
    help="Prefer partitions to INHERIT, and triggers to rules. Try the application's queries in staging before.",
    source="PostgreSQL manual, section 5.11 Inheritance; section 41.7 Rules Versus Triggers; locks measured on 14 to "
    "18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint, note text);\nCREATE TABLE orders_old (id bigint, note text);",
    bad="ALTER TABLE orders_old INHERIT orders;",
    good="ALTER TABLE orders_old ADD COLUMN status text;",
)
