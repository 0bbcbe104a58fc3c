"""not-re-runnable: a statement outside a transaction that fails when the file is run a second time."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import commands, tagged

_MADE = ("CreatedbStmt", "CreateTableSpaceStmt", "CreateSubscriptionStmt")
_GONE = ("DropdbStmt", "DropTableSpaceStmt", "DropSubscriptionStmt")


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, *_MADE, *_GONE, "AlterTableStmt"):
        if _fails_again(seen):
            yield Hit(
                seen.statement,
                f"{seen.statement.kind} runs outside a transaction: when the file stops later, a second attempt fails "
                "here, because it is done already.",
            )


def _fails_again(seen: Seen) -> bool:
    tree = seen.statement.tree
    if tree.tag == "AlterTableStmt":
        definitions = [one.get("def_") for one in commands(seen, "AT_DetachPartition")]
        return any(one is not None and one.flag("concurrent") for one in definitions)
    return tree.tag in _MADE or not tree.flag("missing_ok")


RULE = Rule(
    code="not-re-runnable",
    title="Cannot be run a second time",
    severity=Severity.NOTE,
    group=Group.SCRIPT,
    why="What runs outside a transaction stays done when a later statement fails. To go on, the file must be run "
    "again, and stops at what is there already. Locktender's own runner looks at the catalogue first and goes on after "
    "what it proves; other tools do not.",
    blocks="Nothing.",
    help="Put the statement alone into its file, or run it by hand. Write IF EXISTS where there is one.",
    source="PostgreSQL manual, ALTER TABLE: DETACH PARTITION; CREATE DATABASE: Notes",
    judge=_judge,
    given="CREATE TABLE events (at date) PARTITION BY RANGE (at);\n"
    "CREATE TABLE events_2020 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');",
    bad="ALTER TABLE events DETACH PARTITION events_2020 CONCURRENTLY;",
    good="VACUUM events_2020;",
)
