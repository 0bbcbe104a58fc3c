"""drop-cascade: what depends on the object that is dropped goes with it, and is not named."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.model import Kind, Name, UserType
from checks.model.type_users import functions_with, is_made_with, uses_of_type
from checks.names import quote
from checks.rules._seen import tagged
from checks.words import listed

# A table, a schema: rules of their own say what goes.
_ELSEWHERE = frozenset({"OBJECT_TABLE", "OBJECT_FOREIGN_TABLE", "OBJECT_SCHEMA"})
# Nothing can depend on these.
_ALONE = frozenset({"OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE", "OBJECT_EVENT_TRIGGER"})
_TYPES = frozenset({"OBJECT_TYPE", "OBJECT_DOMAIN"})
_VIEWS = frozenset({Kind.VIEW, Kind.MATERIALIZED})


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "DropStmt"):
        tree = seen.statement.tree
        kind = tree.enum("removeType")
        if tree.enum("behavior") != "DROP_CASCADE" or kind in _ELSEWHERE | _ALONE:
            continue
        for change in seen.statement.changes:
            gone = list(_dependents(seen, change.name))
            what = listed(gone, most=12) if gone else "whatever depends on it"
            if not gone and kind in _TYPES and not seen.before.is_certain:
                what = (
                    "every column of the type with its data, on tables that are not known here, and what else uses it"
                )
            yield Hit(seen.statement, f"CASCADE drops {what} together with {change.detail} {change.name}.")


def _dependents(seen: Seen, name: str) -> Iterator[str]:
    """Yield what is known to depend on a view, sequence or type."""
    place = seen.before.place(name)
    waiting, told = [place], {place}
    while waiting:
        for reader in seen.before.readers(waiting.pop()):
            if reader.name not in told:
                told.add(reader.name)
                waiting.append(reader.name)
                yield f"{reader.kind} {reader.name}"
    yield from _with_type(seen, place, told)
    sequence = seen.before.relations.get(place)
    if sequence is not None and sequence.owner is not None:
        yield f"the default of {quote(sequence.owner[1])} of {sequence.owner[0]}"


def _with_type(seen: Seen, kind: Name, told: set[Name]) -> Iterator[str]:
    """Yield what goes with a type: the columns that have it with their data, and what is written with it."""
    for table, column in seen.before.users_of_type(kind):
        if table.kind in _VIEWS and table.name not in told:
            told.add(table.name)
            yield f"{table.kind} {table.name}"
        elif table.kind not in _VIEWS:
            yield f"column {quote(column.name)} of {table.name} with its data"
    yield from (f"domain {one.name}" for one in seen.before.types.values() if _is_over(one, kind))
    for relation in seen.before.relations.values():
        if is_made_with(relation, kind) and relation.name not in told:
            told.add(relation.name)
            yield f"{relation.kind} {relation.name}"
        elif relation.kind not in _VIEWS:
            yield from (f"{what} of {relation.name}" for what in uses_of_type(relation, kind))
    for function in functions_with(seen.before, kind):
        yield f"function {function.name}() and what calls it"


def _is_over(domain: UserType, kind: Name) -> bool:
    return domain.base is not None and (domain.base.schema, domain.base.name) == tuple(kind)


RULE = Rule(
    code="drop-cascade",
    title="DROP with CASCADE",
    severity=Severity.WARNING,
    group=Group.TABLES,
    why="CASCADE takes along whatever depends on the object at that moment: views, defaults, constraints, columns of "
    "a type with their data. The script does not say what that is, and in production it may be more than in staging.",
    blocks="Reads and writes of every table that loses something, until the transaction ends.",
    help="Leave out CASCADE: the server then lists what depends on it. Drop each of these by name, in a statement of "
    "its own.",
    source="PostgreSQL manual, section 5.15 Dependency Tracking",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);\n"
    "CREATE VIEW totals AS SELECT sum(total) AS sum FROM orders;\nCREATE VIEW report AS SELECT * FROM totals;",
    bad="DROP VIEW totals CASCADE;",
    good="COMMENT ON VIEW totals IS 'Unused';",
)
