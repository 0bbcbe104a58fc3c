"""statement-may-fail: as far as the schema is known the server refuses the statement, but not all of it is known."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.words import listed


def _judge(context: Context) -> Iterator[Hit]:
    for seen in context.seen:
        if seen.effects.doubted and not seen.effects.fails:
            reason = seen.effects.doubted[0]
            yield Hit(seen.statement, f"As far as the schema is known, the server refuses this: {reason}. {_why(seen)}")


def _why(seen: Seen) -> str:
    if doubts := seen.before.doubts:
        return f"That is not certain, because of what could not be followed before: {listed(doubts, most=2)}."
    return "That is not certain: only a part of the schema is known."


RULE = Rule(
    code="statement-may-fail",
    title="The server may refuse the statement",
    severity=Severity.NOTE,
    group=Group.SCRIPT,
    why="What is known of the schema does not fit this statement: something that it needs is not there, or what it "
    "makes is there already. But code that could not be followed, or a history that begins in the middle, may have "
    "changed that.",
    blocks="Nothing that lasts: if it is refused, the file fails.",
    help="Look whether it is so in the database. With a snapshot of it (`manage.py export_snapshot`), it is known.",
    source="measured: the errors of PostgreSQL 14 to 18 on the same schemas",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);\nDO $$ BEGIN NULL; END $$;",
    bad="CREATE TABLE orders (id bigint);",
    good="CREATE TABLE purchases (id bigint);",
)
