"""triggers-not-analysed: a change of rows runs triggers or rules whose code is not analysed."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.words import listed

_CODE = ("what the trigger ", "what the rule ")


def _judge(context: Context) -> Iterator[Hit]:
    for seen in context.seen:
        run = [one.removeprefix("what ").removesuffix(" does") for one in seen.effects.unknown if one.startswith(_CODE)]
        if run:
            yield Hit(
                seen.statement,
                f"Not analysed: {seen.statement.kind} may run {listed(run)}. What that locks and changes is not known.",
            )


RULE = Rule(
    code="triggers-not-analysed",
    title="Triggers or rules run, which are not analysed",
    severity=Severity.NOTE,
    group=Group.DATA,
    why="A trigger runs for the rows of a migration as it does for those of the application, for all of them in one "
    "transaction. What it writes elsewhere is in no plan, and its cost is paid for every row.",
    blocks="Not known.",
    help="Look what the function does before many rows are changed. Keep batches small; the rehearsal measures them.",
    source="PostgreSQL manual, section 37.1 Overview of Trigger Behavior",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, status text);\n"
    "CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';\n"
    "CREATE TRIGGER orders_touched BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touched();",
    bad="UPDATE orders SET status = 'open' WHERE id < 10000 AND status IS NULL;",
    good="CREATE TABLE lines (id bigint PRIMARY KEY);\nINSERT INTO lines (id) VALUES (1);",
)
