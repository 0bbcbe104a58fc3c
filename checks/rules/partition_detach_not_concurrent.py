"""partition-detach-not-concurrent: a partition is taken off while its parent can be neither read nor written."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import commands, is_new


def _judge(context: Context) -> Iterator[Hit]:
    for seen in context.seen:
        for command in commands(seen, "AT_DetachPartition"):
            definition = command.get("def_")
            table = seen.statement.tree.relation()
            if definition is None or definition.flag("concurrent") or is_new(seen, table):
                continue
            partition = definition.relation("name")
            parent = seen.before.find(table)
            default = parent and any(one.bound == "DEFAULT" for one in seen.before.partitions(parent.name))
            yield Hit(
                seen.statement,
                f"DETACH needs ACCESS EXCLUSIVE on {table} and {partition} for a moment: while it waits for running "
                f"queries, every new one waits behind it. The rows of {partition} are no longer found in {table}.",
                ""
                if default  # the server refuses it then
                else f"-- alone in its file\nALTER TABLE {table} DETACH PARTITION {partition} CONCURRENTLY;",
            )


RULE = Rule(
    code="partition-detach-not-concurrent",
    title="Partition detached without CONCURRENTLY",
    severity=Severity.NOTE,
    group=Group.TABLES,
    why="The work takes a moment, but the lock is on the whole partitioned table: it waits for the longest running "
    "query, and everybody who comes later waits behind it.",
    blocks="Reads and writes of all partitions, as long as it waits for its lock.",
    help="Use DETACH PARTITION … CONCURRENTLY, alone in its file. It is refused while there is a DEFAULT partition.",
    source="PostgreSQL manual, ALTER TABLE: DETACH PARTITION; locks measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE events (at date) PARTITION BY RANGE (at);\n"
    "CREATE TABLE events_2020 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');",
    bad="ALTER TABLE events DETACH PARTITION events_2020;",
    good="ALTER TABLE events DETACH PARTITION events_2020 CONCURRENTLY;",
)
