"""function-replaced: running code calls another body from the commit on."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    for seen in context.seen:
        known = seen.before.is_complete and not seen.before.doubts
        for change in seen.statement.changes:
            if change.verb is not Verb.REPLACE_FUNCTION:
                continue
            if known and seen.before.place(change.name) not in seen.before.functions:
                continue
            yield Hit(
                seen.statement,
                f"{'From' if known else f'If {change.name} exists, from'} the commit on everything that calls "
                f"{change.name}, triggers and policies included, runs the new body. The old body is kept nowhere.",
            )


RULE = Rule(
    code="function-replaced",
    title="Function that may replace another",
    severity=Severity.NOTE,
    group=Group.OBJECTS,
    why="CREATE OR REPLACE changes what others call, without a lock and without a trace of what was there. It also "
    "says nothing about whether something was there.",
    blocks="Nothing.",
    help="For a new function write CREATE without OR REPLACE. For a changed one keep the old body in the rollback "
    "script, or give the new one another name and move the callers.",
    source="PostgreSQL manual, CREATE FUNCTION: Overloading, OR REPLACE",
    judge=_judge,
    given="CREATE FUNCTION order_total(id bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT 1.0';",
    bad="CREATE OR REPLACE FUNCTION order_total(id bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT 0.0';",
    good="CREATE FUNCTION order_total_v2(id bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT 0.0';",
)
