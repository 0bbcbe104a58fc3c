"""function-replaced: running code calls another body from the commit on."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.finding import Hit, Rule, Severity
from checks.statements import Script


def _judge(script: Script) -> Iterator[Hit]:
    for statement in script.statements:
        for change in statement.changes:
            if change.verb is Verb.REPLACE_FUNCTION:
                yield Hit(
                    statement,
                    f"If {change.name} exists, everything that calls it, triggers and policies included, runs the new "
                    "body from the commit on. The old body is kept nowhere.",
                )


RULE = Rule(
    code="function-replaced",
    title="Function that may replace another",
    severity=Severity.NOTE,
    why="CREATE OR REPLACE changes what others call, without a lock and without a trace of what was there. It also "
    "says nothing about whether something was there.",
    help="For a new function write CREATE without OR REPLACE. For a changed one keep the old body in the rollback "
    "script, or give the new one another name and move the callers.",
    judge=_judge,
    bad="CREATE OR REPLACE FUNCTION order_total(id bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT 0.0';",
    good="CREATE FUNCTION order_total_v2(id bigint) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT 0.0';",
)
