"""index-redundant: an index that another one makes superfluous."""

from __future__ import annotations

import re
from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.model import Index
from checks.names import quote
from checks.rules._seen import indexes_made, tagged

# Which columns are sorted the other way is not a part of the model: such an index is left out.
_ORDERED = re.compile(r"\bDESC\b|\bNULLS (?:FIRST|LAST)\b", re.IGNORECASE)


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "IndexStmt"):
        table = indexes_made(context, seen)
        before = seen.before.find(seen.statement.tree.relation())
        if table is None:
            continue
        final = context.after.relations.get(table.name, table).indexes
        made = [name for name in table.indexes if before is None or name not in before.indexes]
        for name in made:
            for other in table.indexes:
                # What the same script drops later is no longer beside it.
                if other == name or name not in final or other not in final:
                    continue
                if other not in made and _serves_for(table.indexes[other], table.indexes[name]):
                    words = f"{quote(other)} on {table.name} has the same leading columns already"
                elif _serves_for(table.indexes[name], table.indexes[other]):
                    words = f"{quote(name)} has the columns of {quote(other)} in front: that one can go afterwards"
                else:
                    continue
                yield Hit(seen.statement, f"{words}. Each of the two is written with every insert and update.")
                break


def _serves_for(wide: Index, narrow: Index) -> bool:
    """True when whatever `narrow` is good for, `wide` does as well."""
    count = len(narrow.columns)
    return (
        wide.is_valid
        and "" not in narrow.columns  # an expression: which one is not told by the name of a column
        and wide.columns[:count] == narrow.columns
        and wide.method == narrow.method == "btree"
        and wide.predicate == narrow.predicate
        and wide.collations[:count] == narrow.collations[:count]
        and wide.operator_classes[:count] == narrow.operator_classes[:count]
        and (not narrow.is_unique or (wide.is_unique and wide.columns == narrow.columns))
        and narrow.uses <= wide.uses
        and not _ORDERED.search(wide.definition + narrow.definition)
    )


RULE = Rule(
    code="index-redundant",
    title="Index that another one makes superfluous",
    severity=Severity.NOTE,
    group=Group.INDEXES,
    why="A B-tree serves every search by its leading columns. A second index that begins with the same ones costs "
    "space and a write for each change of a row, and answers nothing new.",
    blocks="Nothing.",
    help="Leave out the shorter one, or drop it CONCURRENTLY once the longer one is valid.",
    source="PostgreSQL manual, section 11.3 Multicolumn Indexes",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint, at timestamptz);\n"
    "CREATE INDEX orders_user_at_idx ON orders (user_id, at);",
    bad="CREATE INDEX CONCURRENTLY orders_user_idx ON orders (user_id);",
    good="CREATE INDEX CONCURRENTLY orders_at_idx ON orders (at);",
)
