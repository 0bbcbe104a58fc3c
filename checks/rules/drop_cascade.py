"""drop-cascade: what depends on the object that is dropped goes with it, and is not named."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.names import quote
from checks.rules._seen import tagged
from checks.words import listed

# A table, a schema: rules of their own say what goes.
_ELSEWHERE = frozenset({"OBJECT_TABLE", "OBJECT_FOREIGN_TABLE", "OBJECT_SCHEMA"})
# Nothing can depend on these.
_ALONE = frozenset({"OBJECT_TRIGGER", "OBJECT_POLICY", "OBJECT_RULE", "OBJECT_EVENT_TRIGGER"})


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "DropStmt"):
        tree = seen.statement.tree
        kind = tree.enum("removeType")
        if tree.enum("behavior") != "DROP_CASCADE" or kind in _ELSEWHERE | _ALONE:
            continue
        for change in seen.statement.changes:
            gone = list(_dependents(seen, change.name))
            what = listed(gone) if gone else "whatever depends on it"
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
    for table, column in seen.before.users_of_type(place):
        yield f"column {quote(column.name)} of {table.name}"
    sequence = seen.before.relations.get(place)
    if sequence is not None and sequence.owner is not None:
        yield f"the default of {quote(sequence.owner[1])} of {sequence.owner[0]}"


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
