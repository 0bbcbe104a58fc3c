"""index-drop-not-concurrent: DROP INDEX that stands before every query of its table while it waits."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.model import Kind
from checks.names import unqualified
from checks.rules._seen import tagged
from checks.words import listed


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "DropStmt"):
        tree = seen.statement.tree
        if tree.enum("removeType") != "OBJECT_INDEX" or tree.flag("concurrent"):
            continue
        names = [change.name for change in seen.statement.changes if _is_in_use(seen, change.name)]
        if not names or (seen.effects.fails and seen.before.is_complete):
            continue
        tables = dict.fromkeys(str(table.name) for name in names if (table := seen.before.find_index(name)))
        kept = [name for name in names if _keeps_unique(seen, name)]
        yield Hit(
            seen.statement,
            f"Dropping {listed(names)} needs ACCESS EXCLUSIVE on {listed(list(tables)) or 'the table'} for a moment: "
            "while it waits for running queries, every new one waits behind it."
            + (f" From then on nothing keeps the values of {listed(kept)} unique." if kept else ""),
            _rewrite(seen, names),
        )


def _is_in_use(seen: Seen, name: str) -> bool:
    """False when the index is known to be on a table of this script, or not to exist."""
    table = seen.before.find_index(name)
    if table is None:
        return not seen.before.is_complete
    return not seen.before.is_new(table.name)


def _keeps_unique(seen: Seen, name: str) -> bool:
    table = seen.before.find_index(name)
    return table is not None and table.indexes[unqualified(name)].is_unique


def _rewrite(seen: Seen, names: list[str]) -> str:
    tree = seen.statement.tree
    tables = [seen.before.find_index(name) for name in names]
    # CONCURRENTLY knows no CASCADE and no partitioned index.
    if tree.enum("behavior") == "DROP_CASCADE" or any(one and one.kind is Kind.PARTITIONED for one in tables):
        return ""
    only_if = "IF EXISTS " if tree.flag("missing_ok") else ""
    return "-- in a file without other statements\n" + "\n".join(
        f"DROP INDEX CONCURRENTLY {only_if}{name};" for name in names
    )


RULE = Rule(
    code="index-drop-not-concurrent",
    title="Index dropped without CONCURRENTLY",
    severity=Severity.NOTE,
    group=Group.INDEXES,
    why="The work takes a moment, but it needs ACCESS EXCLUSIVE on the table: it waits for the longest running query, "
    "and everybody who comes later waits behind it. A query that used the index becomes slow from then on.",
    blocks="Reads and writes of the table, as long as it waits for its lock.",
    help="Drop it CONCURRENTLY, in a file without other statements. Look in pg_stat_user_indexes, on replicas too, "
    "whether it is still used.",
    source="PostgreSQL manual, DROP INDEX; lock measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, note text);\nCREATE INDEX orders_note_idx ON orders (note);",
    bad="DROP INDEX orders_note_idx;",
    good="DROP INDEX CONCURRENTLY orders_note_idx;",
)
