"""setting-not-listed: a setting is changed of which nobody has said that it does no harm."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity


def _judge(context: Context) -> Iterator[Hit]:
    for statement in context.script.statements:
        for change in statement.changes:
            if change.verb is Verb.SETTING_UNKNOWN:
                yield Hit(
                    statement,
                    f"{change.name} is not on the list of settings that a script may change without harm.",
                    offset=change.offset,
                )


RULE = Rule(
    code="setting-not-listed",
    title="Setting that is not known to be harmless",
    severity=Severity.WARNING,
    group=Group.SCRIPT,
    why="Some settings lose data without a word (zero_damaged_pages), make a commit forgettable (synchronous_commit), "
    "change what the rest of the script means (standard_conforming_strings), or hide the runner's own session.",
    blocks="Nothing.",
    help="Remove it, or set it for the role or the database, where it is seen and can be undone.",
    source="PostgreSQL manual, chapter 19 Server Configuration",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);\n"
    "ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total > 0) NOT VALID;",
    bad="SET zero_damaged_pages = on;\nSELECT count(*) FROM orders;",
    good="SET LOCAL maintenance_work_mem = '1GB';\nALTER TABLE orders VALIDATE CONSTRAINT orders_total_check;",
)
