"""index-on-partitioned: an index on a partitioned table, built on every partition while writes to all of them wait."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Change
from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work
from checks.model import Kind
from checks.names import derived, sibling, unqualified
from checks.rules._seen import does, is_kind, tagged
from checks.words import listed


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "IndexStmt"):
        (change,) = seen.statement.changes
        if not is_kind(seen, change.table, Kind.PARTITIONED):
            continue
        built = [str(lock.relation) for lock in seen.effects.felt if does(lock, Work.BUILD)]
        parts = [name for name in built if name != str(seen.before.place(change.table))]
        if parts:
            yield Hit(
                seen.statement,
                f"{change.table} is partitioned: the index is built on {listed(parts)} in one statement, and writes to "
                "all of them wait until the last is done.",
                _rewrite(seen, change),
            )


def _rewrite(seen: Seen, change: Change) -> str:
    """Return the index on the parent alone, one on each partition, and how they are put together."""
    table = seen.before.place(change.table)
    parts = list(seen.before.partitions(table))
    _, found, rest = change.definition.partition(f" ON {change.table} ")
    if not found or not parts or any(one.kind is not Kind.TABLE for one in parts):
        return ""
    unique = "UNIQUE " if change.unique else ""
    name = change.name or derived(change.table, *map(unqualified, change.columns), "idx")
    made = sibling(change.table, name)
    lines = ["-- file 1", f"CREATE {unique}INDEX {name} ON ONLY {change.table} {rest};"]
    lines.append("-- file 2, without a transaction")
    chosen = {one.name: derived(str(one.name), unqualified(name)) for one in parts}
    lines += [f"CREATE {unique}INDEX CONCURRENTLY {chosen[one.name]} ON {one.name} {rest};" for one in parts]
    lines.append("-- file 3")
    lines += [f"ALTER INDEX {made} ATTACH PARTITION {sibling(str(one.name), chosen[one.name])};" for one in parts]
    return "\n".join(lines)


RULE = Rule(
    code="index-on-partitioned",
    title="Index on a partitioned table",
    severity=Severity.WARNING,
    group=Group.INDEXES,
    why="CREATE INDEX on a partitioned table builds one index for each partition, and holds SHARE on the parent and "
    "on all partitions until the last is built. CONCURRENTLY is refused there.",
    blocks="Writes to every partition, for all the builds together.",
    help="Create the index ON ONLY the parent, which takes a moment; build it CONCURRENTLY on each partition; then "
    "attach each. With the last one the index of the parent becomes valid.",
    source="PostgreSQL manual, section 5.12.2.2 Partition Maintenance; locks measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE events (at date, kind text) PARTITION BY RANGE (at);\n"
    "CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');",
    bad="CREATE INDEX events_kind_idx ON events (kind);",
    good="CREATE INDEX events_kind_idx ON ONLY events (kind);",
)
