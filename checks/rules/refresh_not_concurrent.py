"""refresh-not-concurrent: a materialized view that nobody can read while its query runs."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import is_new, tagged


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "RefreshMatViewStmt"):
        tree = seen.statement.tree
        view = tree.relation()
        if tree.flag("concurrent") or is_new(seen, view):
            continue
        if tree.flag("skipData"):
            yield Hit(seen.statement, f"WITH NO DATA empties {view}: every query of it fails until the next REFRESH.")
        else:
            yield Hit(
                seen.statement,
                f"REFRESH holds ACCESS EXCLUSIVE on {view}: nobody can read it while its query runs.",
                f"REFRESH MATERIALIZED VIEW CONCURRENTLY {view};" if _may_be_concurrent(seen, view) else "",
            )


def _may_be_concurrent(seen: Seen, view: str) -> bool:
    """True when the view has the index that CONCURRENTLY needs: unique, of columns only, over all rows."""
    found = seen.before.find(view)
    return found is not None and any(
        one.is_unique and one.is_valid and not one.predicate and one.columns and "" not in one.columns
        for one in found.indexes.values()
    )


RULE = Rule(
    code="refresh-not-concurrent",
    title="REFRESH without CONCURRENTLY",
    severity=Severity.WARNING,
    group=Group.OBJECTS,
    why="A plain REFRESH replaces the content under ACCESS EXCLUSIVE, which it holds while the query runs. "
    "CONCURRENTLY takes EXCLUSIVE: reads go on.",
    blocks="Reads of the materialized view, as long as its query takes.",
    help="Give the view a unique index over all its rows, then use REFRESH MATERIALIZED VIEW CONCURRENTLY. A refresh "
    "is work for a job rather than for a migration.",
    source="PostgreSQL manual, REFRESH MATERIALIZED VIEW; locks measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);\n"
    "CREATE MATERIALIZED VIEW totals AS SELECT id, total FROM orders;\n"
    "CREATE UNIQUE INDEX totals_id_idx ON totals (id);",
    bad="REFRESH MATERIALIZED VIEW totals;",
    good="REFRESH MATERIALIZED VIEW CONCURRENTLY totals;",
)
