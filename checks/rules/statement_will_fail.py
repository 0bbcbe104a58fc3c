"""statement-will-fail: the schema is known, and on it the server refuses the statement."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._syntax import too_new


def _judge(context: Context) -> Iterator[Hit]:
    for seen in context.seen:
        if seen.effects.fails and (seen.effects.repeats or seen.before.is_certain):
            if too_new(seen.statement, context.world.version) is None:
                yield Hit(seen.statement, f"The server will refuse this: {seen.effects.fails}.")
            return  # what comes after it does not run; what is said about it would be a guess


RULE = Rule(
    code="statement-will-fail",
    title="The server will refuse the statement",
    severity=Severity.BLOCKING,
    group=Group.SCRIPT,
    why="All migrations before it are known, so the tables, columns and constraints are too. This statement does not "
    "fit them. In a transaction the whole file is rolled back, and the release stops.",
    blocks="Nothing that lasts: the file fails.",
    help="Correct the statement, or the migration before it. If the database differs from its migrations, that is "
    "drift: resolve it first.",
    source="measured: the errors of PostgreSQL 14 to 18 on the same schemas",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);\n"
    "CREATE VIEW totals AS SELECT total FROM orders;",
    bad="ALTER TABLE orders ALTER COLUMN totl SET DEFAULT 0;",
    good="ALTER TABLE orders ALTER COLUMN total SET DEFAULT 0;",
)
