"""timeout-raised: the script takes away the limit on how long it may wait for a lock, or run."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Change, Verb
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.reading.settings import TIMEOUTS


def _judge(context: Context) -> Iterator[Hit]:
    for statement in context.script.statements:
        for change in statement.changes:
            if change.verb is Verb.RAISE_TIMEOUT:
                yield Hit(statement, _message(change), offset=change.offset)


def _message(change: Change) -> str:
    most = TIMEOUTS[change.name].total_seconds()
    return f"This raises {change.name} above {most:g} seconds, takes it away, or goes back to an unknown default."


RULE = Rule(
    code="timeout-raised",
    title="Timeout raised or switched off",
    severity=Severity.WARNING,
    group=Group.SCRIPT,
    why="A statement that waits for a lock makes everybody behind it wait too. With 0, or a long time, one forgotten "
    "session stops the whole application. The runner holds its own lower limits before every statement, so raising "
    "one has no effect there and does harm wherever else the file is run.",
    blocks="Everybody behind a lock that is waited for, as long as the limit allows.",
    help="Remove it. A script may lower a timeout, never raise it; the budget of a run is asked for in its plan.",
    source="PostgreSQL manual, section 19.11 Client Connection Defaults, lock_timeout",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY);",
    bad="SET lock_timeout = '1h';\nALTER TABLE orders ADD COLUMN note text;",
    good="SET LOCAL lock_timeout = '200ms';\nALTER TABLE orders ADD COLUMN note text;",
)
