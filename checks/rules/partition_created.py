"""partition-created: CREATE TABLE … PARTITION OF locks the whole partitioned table."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work
from checks.rules._seen import does, is_new, tagged


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "CreateStmt", "CreateForeignTableStmt"):
        tree = seen.statement.tree.get("base") or seen.statement.tree
        bound = tree.get("partbound")
        parents = [one.range_name() for one in tree.each("inhRelations")]
        if bound is None or not parents or is_new(seen, parents[0]):
            continue
        if any(does(lock, Work.SCAN) for lock in seen.effects.felt):
            continue  # partition-scan has more to say
        table = tree.relation()
        plain = seen.statement.tree.tag == "CreateStmt" and not tree.get("partspec") and not tree.each("tableElts")
        yield Hit(
            seen.statement,
            f"Creating {table} as a partition needs ACCESS EXCLUSIVE on {parents[0]} for a moment: while it waits for "
            "running queries, every new one waits behind it.",
            f"CREATE TABLE {table} (LIKE {parents[0]} INCLUDING ALL EXCLUDING IDENTITY);\n"
            f"ALTER TABLE {parents[0]} ATTACH PARTITION {table} {bound.sql()};"
            if plain and bound.sql()
            else "",
        )


RULE = Rule(
    code="partition-created",
    title="Partition created in place",
    severity=Severity.NOTE,
    group=Group.TABLES,
    why="CREATE TABLE … PARTITION OF takes ACCESS EXCLUSIVE on the partitioned table, so on everything in it. ATTACH "
    "PARTITION takes only SHARE UPDATE EXCLUSIVE there.",
    blocks="Reads and writes of all partitions, as long as it waits for its lock.",
    help="Create the table LIKE the parent, then attach it. Where there is a DEFAULT partition, that one is locked "
    "and read all the same.",
    source="PostgreSQL manual, section 5.12.2.2 Partition Maintenance; locks measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE events (at date) PARTITION BY RANGE (at);",
    bad="CREATE TABLE events_2027 PARTITION OF events FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');",
    good="CREATE TABLE events_2027 (LIKE events INCLUDING ALL EXCLUDING IDENTITY);\n"
    "ALTER TABLE events ATTACH PARTITION events_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');",
)
