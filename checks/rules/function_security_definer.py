"""function-security-definer: a function with its owner's rights that looks up names where its caller says."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    for statement in context.script.statements:
        for change in statement.changes:
            if change.verb is Verb.DEFINER_FUNCTION and not change.definition:
                yield Hit(
                    statement,
                    f"{change.name} acts with the rights of its owner, but finds tables and functions on the search "
                    "path of whoever calls it.",
                )


RULE = Rule(
    code="function-security-definer",
    title="SECURITY DEFINER without a search path of its own",
    severity=Severity.WARNING,
    group=Group.OBJECTS,
    why="A caller who can create anything on their own search path can put a table or function there that this one "
    "then uses with the rights of its owner. By default everybody may execute a new function.",
    blocks="Nothing.",
    help="Add SET search_path, revoke EXECUTE from PUBLIC and grant it to those who need it.",
    source="PostgreSQL manual, CREATE FUNCTION: Writing SECURITY DEFINER Functions Safely",
    judge=_judge,
    given="CREATE SCHEMA shop;\n"
    "CREATE TABLE orders (id bigint PRIMARY KEY, closed boolean);\n"
    "CREATE TABLE shop.orders (id bigint PRIMARY KEY, closed boolean);",
    bad="CREATE FUNCTION close_order(id bigint) RETURNS void LANGUAGE sql SECURITY DEFINER\n"
    "AS 'UPDATE orders SET closed = true WHERE orders.id = close_order.id';",
    good="CREATE FUNCTION close_order(id bigint) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = shop\n"
    "AS 'UPDATE orders SET closed = true WHERE orders.id = close_order.id';",
)
